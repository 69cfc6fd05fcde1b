"""Sizes, checksums and counts of the files of a split."""

import dataclasses
import os
from collections.abc import Sequence

import tensorflow as tf

from common.atomic_files import combined
from datasets.dataset import Dataset, Shard
from datasets.records import file_states, record_counts, record_faults, record_frames
from errors import UserError


def sized(dataset: Dataset, tolerant: bool) -> Dataset:
    """Adds sizes, checksums and counts; if `tolerant`, counts are left to others."""
    names = [os.path.relpath(s.path, dataset.dataset_dir) for s in dataset.shards]
    shards = shards_of(dataset.dataset_dir, names, tolerant)
    dataset = dataclasses.replace(
        dataset, shards=shards, fingerprint=combined(shard.sha256 for shard in shards)
    )
    return dataset if tolerant else counted(dataset)


def counted(dataset: Dataset) -> Dataset:
    """Adds the counts of the files, whose checksums are known.

    Raises:
      UserError: a record cannot be read, or its label is not a class.
    """
    digests = {
        os.path.relpath(shard.path, dataset.dataset_dir): shard.sha256
        for shard in dataset.shards
    }
    # Code written for slim requests data sets while it builds a graph.
    with tf.__internal__.eager_context.eager_mode():
        counts = record_counts.count(dataset.dataset_dir, digests)
        class_counts = _class_counts(dataset, counts)
    return dataclasses.replace(
        dataset,
        shards=tuple(
            dataclasses.replace(shard, num_records=file.num_records)
            for shard, file in zip(dataset.shards, counts, strict=True)
        ),
        num_examples=sum(file.num_records for file in counts),
        class_counts=class_counts,
    )


def _class_counts(
    dataset: Dataset, counts: Sequence[record_counts.FileCounts]
) -> tuple[int, ...]:
    """The number of examples per class; a label that is not a class is an error."""
    totals = [0] * dataset.num_classes
    for shard, file in zip(dataset.shards, counts, strict=True):
        for label, number in file.labels.items():
            if record_faults.explain_label(label, dataset):
                raise UserError(
                    record_faults.find_label_fault(dataset, [shard.path])
                    or f"{shard.path} changed while it was read: start again"
                )
            totals[dataset.label_default if label is None else label] += number
    return tuple(totals)


def shards_of(
    dataset_dir: str, filenames: Sequence[str], tolerant: bool
) -> tuple[Shard, ...]:
    """The files of a split, with their records not yet counted.

    Raises:
      UserError: the record lengths of a file do not add up; if `tolerant`, that is left
        to `bad_records`.
    """
    shards = []
    states = file_states.look_at(dataset_dir, filenames)
    for name, state in zip(filenames, states, strict=True):
        path = os.path.join(dataset_dir, name)
        if state.frames.fault and not tolerant:
            raise UserError(record_frames.describe_break(path, state.frames))
        shards.append(Shard(path, 0, state.num_bytes, state.sha256))
    return tuple(shards)
