"""Counts the records of TFRecord files, once.

Counts are kept in a side file in the directory of the data set, by file name and
SHA-256; a changed file is counted again.
"""

import dataclasses
import os
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from common import storage
from common.progress import progress
from datasets import example_schema, pipeline_options
from datasets.records import record_faults, side_file
from errors import UserError

FILENAME = "record_counts.json"
_FORMAT_VERSION = 1
_MISSING = "missing"


@dataclasses.dataclass(frozen=True)
class FileCounts:
    """One counted file.

    Attributes:
      num_records: number of records.
      sha256: SHA-256 of its content.
      labels: number of records by label; None stands for no label.
    """

    num_records: int
    sha256: str
    labels: Mapping[int | None, int]


def count(dataset_dir: str, digests: Mapping[str, str]) -> list[FileCounts]:
    """Counts records and labels, or returns what was counted before.

    Args:
      dataset_dir: the directory of the files, and of the side file if it is writable.
      digests: names of TFRecord files in it, with their SHA-256; their record lengths
        must add up, see `record_frames`.

    Returns:
      The counts of each file.

    Raises:
      UserError: a record cannot be read; the message names file and record.
    """
    memory = os.path.join(dataset_dir, FILENAME)
    remembered = _read(memory)
    counted: dict[str, FileCounts] = {}
    for name, sha256 in digests.items():
        known = remembered.get(name)
        if known and known.sha256 == sha256:
            counted[name] = known
    if new := [name for name in digests if name not in counted]:
        logging.info("Counting the records of %d files in %s", len(new), dataset_dir)
        paths = [os.path.join(dataset_dir, name) for name in new]
        for name, labels in zip(new, _count_labels(paths), strict=True):
            counted[name] = FileCounts(sum(labels.values()), digests[name], labels)
        entries = {n: _to_json(c) for n, c in (remembered | counted).items()}
        side_file.write(memory, _FORMAT_VERSION, entries)
    return [counted[name] for name in digests]


def _count_labels(paths: list[str]) -> list[Counter[int | None]]:
    def labels_of(index: tf.Tensor, path: tf.Tensor) -> tf.data.Dataset:
        batches = tf.data.TFRecordDataset(path, buffer_size=8 << 20).batch(64)
        return batches.map(
            lambda batch: (
                index,
                example_schema.parse_labels(batch),
                record_faults.record_bytes(batch),
            )
        )

    files = tf.data.Dataset.from_tensor_slices((np.arange(len(paths)), paths))
    batches = files.interleave(
        labels_of, cycle_length=16, num_parallel_calls=tf.data.AUTOTUNE
    )
    elements = pipeline_options.apply(batches).as_numpy_iterator()
    counts: list[Counter[int | None]] = [Counter() for _ in paths]
    unread = [storage.size(path) for path in paths]
    try:
        for index, labels, num_bytes in progress(
            elements, total=None, desc="counting", unit="batch"
        ):
            unread[index] -= num_bytes
            for label in labels.tolist():
                missing = label == example_schema.MISSING_LABEL
                counts[index][None if missing else label] += 1
    except record_faults.READ_ERRORS as error:
        fault = record_faults.find_unreadable(paths)
        raise UserError(fault or record_faults.without_nodes(error)) from error
    if any(unread):
        raise UserError(
            record_faults.find_unreadable(paths)
            or f"{os.path.dirname(paths[0])} changed while it was read: start again"
        )
    return counts


def _read(path: str) -> dict[str, FileCounts]:
    """The contents of the side file; nothing if it is missing or not ours."""
    try:
        entries = side_file.read(path, _FORMAT_VERSION)
        return {name: _from_json(entry) for name, entry in entries.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _to_json(counts: FileCounts) -> dict[str, Any]:
    labels = {
        _MISSING if label is None else str(label): number
        for label, number in counts.labels.items()
    }
    return dataclasses.asdict(counts) | {"labels": labels}


def _from_json(entry: dict[str, Any]) -> FileCounts:
    labels = {
        None if label == _MISSING else int(label): int(number)
        for label, number in entry["labels"].items()
    }
    return FileCounts(int(entry["num_records"]), entry["sha256"], labels)
