"""A split as its folder describes it.

Three kinds of folder need no code: those with dataset.json, those with labels.txt and
TFRecords of the usual names, and those written by slim's own converters, of which a
`DatasetSpec` says what their files do not.
"""

import dataclasses
import glob
import os
from collections.abc import Sequence
from typing import Any

from absl import logging

from common import storage
from common.atomic_files import combined
from common.untrusted_text import first_few
from datasets import (
    dataset_json,
    dataset_spec,
    labels,
    split_counts,
    split_files,
)
from datasets.dataset import Dataset, Shard
from datasets.dataset_spec import GENERIC_SPEC, DatasetSpec
from datasets.records import bad_records, record_faults
from errors import UserError, nearest


def get_split(
    name: str,
    split_name: str,
    dataset_dir: str,
    spec: DatasetSpec = GENERIC_SPEC,
    *,
    file_pattern: str | None = None,
    tolerant: bool = False,
) -> Dataset:
    """Describes a split from its files.

    Args:
      name: the name in dataset.json, or the name that the TFRecords begin with.
      split_name: for instance "train".
      dataset_dir: the directory of the TFRecords.
      spec: what files without dataset.json do not say.
      file_pattern: pattern of their names, %s standing for the split; None is the usual
        one.
      tolerant: whether bad records are skipped, so that counting is left to others.

    Returns:
      The split.

    Raises:
      UserError: name, split, directory or files are missing or do not match; the
        message names what there is.
    """
    if file_pattern or (info := _described(name, dataset_dir)) is None:
        pattern = file_pattern
        return _from_files(name, split_name, dataset_dir, spec, tolerant, pattern)
    return _from_json(info, split_name, dataset_dir, tolerant)


def splits_in(
    name: str, dataset_dir: str, spec: DatasetSpec = GENERIC_SPEC
) -> tuple[str, ...]:
    """The splits of a data set that have files in the directory, sorted by name.

    Raises:
      UserError: there is no such directory or data set.
    """
    info = _described(name, dataset_dir)
    if info is not None:
        return tuple(sorted(info.splits))
    return tuple(sorted(_find_splits(name, dataset_dir, spec)))


def usable(
    dataset: Dataset, reader: Any, *, max_bad_records: int = 0, labels_offset: int = 0
) -> Dataset:
    """A split without its bad records, for a reader of tf_slim's.

    Args:
      dataset: the split.
      reader: class that tf_slim reads it with; None is its TFRecord reader.
      max_bad_records: see `dataset_factory.get_dataset`.
      labels_offset: see `dataset_factory.get_dataset`.

    Raises:
      UserError: too many records are bad, or none is left.
    """
    dataset = dataclasses.replace(dataset, reader_class=reader)
    if max_bad_records:
        dataset = bad_records.leave_out(dataset, max_bad_records, labels_offset)
    if not dataset.num_examples:
        raise UserError(
            f"split {dataset.split_name!r} in {dataset.dataset_dir} holds no usable"
            f" record ({len(dataset.shards)} empty files): convert the photos again"
        )
    return dataset


def require_directory(dataset_dir: str) -> None:
    """Raises a `UserError` unless `dataset_dir` is a directory."""
    if not dataset_dir:
        raise UserError("no --dataset_dir: name the folder that holds the TFRecords")
    if not storage.is_folder(dataset_dir):
        raise UserError(
            f"--dataset_dir={dataset_dir} is not a folder: name the one that holds"
            " the TFRecords (convert/images_to_tfrecord.py makes it from photos)"
        )


def _described(name: str, dataset_dir: str) -> dataset_json.DatasetInfo | None:
    """The contents of dataset.json, if the directory has one."""
    require_directory(dataset_dir)
    info = dataset_json.read(dataset_dir)
    if info is not None and info.name != name:
        raise UserError(
            f"--dataset_name={name}, but {dataset_dir} holds the data set"
            f" {info.name!r}: use --dataset_name={info.name}, or another --dataset_dir"
        )
    if info is not None:
        dataset_json.check_labels(dataset_dir, info)
    return info


def _from_json(
    info: dataset_json.DatasetInfo, split_name: str, dataset_dir: str, tolerant: bool
) -> Dataset:
    """The split as dataset.json describes it."""
    split = info.splits.get(split_name)
    if split is None or not split.num_examples:
        raise _no_split(info.name, split_name, dataset_dir, list(info.splits))
    _require_sound_files(split, dataset_dir, tolerant)
    shards = split_counts.shards_of(
        dataset_dir, [shard.file for shard in split.shards], tolerant
    )
    dataset = Dataset(
        name=info.name,
        split_name=split_name,
        dataset_dir=dataset_dir,
        shards=tuple(
            dataclasses.replace(shard, num_records=known.records)
            for shard, known in zip(shards, split.shards, strict=True)
        ),
        num_examples=split.num_examples,
        num_classes=len(info.classes),
        class_names=info.classes,
        class_counts=split.class_counts,
        num_channels=info.num_channels,
        fingerprint=combined(shard.sha256 for shard in shards),
        bits=info.bits,
    )
    changed = [
        shard.path
        for shard, known in zip(shards, split.shards, strict=True)
        if shard.sha256 != known.sha256
    ]
    if not changed or tolerant:
        return dataset
    logging.warning(
        "%s changed since dataset.json was written (another SHA-256): its current"
        " records are counted and read",
        first_few(changed, 1),
    )
    return split_counts.counted(dataset)


def _require_sound_files(
    split: dataset_json.SplitInfo, dataset_dir: str, tolerant: bool
) -> None:
    """Refuses a split whose files do not match dataset.json.

    Args:
      split: the split in dataset.json.
      dataset_dir: the folder of its files.
      tolerant: whether to accept files of another size, as bad records are skipped.
    """
    if file_fault := dataset_json.find_file_fault(dataset_dir, split):
        path, reason = file_fault
        if not (tolerant and storage.is_file(path)):
            record_fault = record_faults.find_unreadable([path])
            raise UserError("; ".join(filter(None, [reason, record_fault])))


def _from_files(
    name: str,
    split_name: str,
    dataset_dir: str,
    spec: DatasetSpec,
    tolerant: bool,
    file_pattern: str | None,
) -> Dataset:
    """The split without dataset.json: classes from labels.txt, records counted."""
    if file_pattern:
        splits = split_files.matching(file_pattern, split_name, dataset_dir)
    else:
        splits = _find_splits(name, dataset_dir, spec)
    filenames = splits.get(split_name)
    if filenames is None:
        raise _no_split(name, split_name, dataset_dir, list(splits))
    split_files.check_complete(filenames, dataset_dir)
    class_names = labels.read(dataset_dir) or spec.class_names
    num_classes = len(class_names) if class_names else spec.num_classes
    if not num_classes:
        raise UserError(
            f"{dataset_dir} has neither dataset.json nor labels.txt: write a labels.txt"
            " with one id:name line per class"
        )
    paths = [os.path.join(dataset_dir, filename) for filename in filenames]
    dataset = Dataset(
        name=name,
        split_name=split_name,
        dataset_dir=dataset_dir,
        shards=tuple(Shard(path, 0, 0) for path in paths),
        num_examples=0,
        num_classes=num_classes,
        class_names=class_names,
        class_counts=(),
        num_channels=spec.num_channels,
        label_default=spec.label_default,
        format_default=spec.format_default,
    )
    return split_counts.sized(dataset, tolerant)


def _find_splits(
    name: str, dataset_dir: str, spec: DatasetSpec
) -> dict[str, list[str]]:
    """The sorted TFRecord file names of each split."""
    patterns = {
        split: spec.file_pattern.replace("%s", glob.escape(split))
        for split in spec.splits
    }
    filenames = split_files.visible_files(dataset_dir)
    splits = split_files.find_splits(name, filenames, patterns)
    if not splits:
        raise _no_files(name, dataset_dir, spec, filenames)
    return splits


def _no_split(
    name: str, split_name: str, dataset_dir: str, splits: Sequence[str]
) -> UserError:
    return UserError(
        f"data set {name!r} in {dataset_dir} has no split {split_name!r}"
        f"{nearest(split_name, splits)}: its splits are {', '.join(sorted(splits))}"
    )


def _no_files(
    name: str, dataset_dir: str, spec: DatasetSpec, filenames: Sequence[str]
) -> UserError:
    shown = first_few(filenames)
    expected = (
        spec.file_pattern.replace("%s", "<split>")
        if spec is not GENERIC_SPEC
        else f"dataset.json or {name}_<split>_*.tfrecord with labels.txt"
    )
    return UserError(
        f"{dataset_dir} has no files of a data set {name!r}: expected {expected}, found"
        f" {shown or 'an empty folder'}; names that need no labels.txt:"
        f" {', '.join(dataset_spec.known_names())}"
    )
