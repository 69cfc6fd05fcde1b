"""Which dataset a name and a directory stand for, and what it holds.

Three kinds of directory need no code: one with dataset.json, one with labels.txt and
TFRecords under any of the usual names, and one that slim's own converters made.
"""

import dataclasses
import glob
import os
from collections.abc import Sequence

from absl import logging

from datasets import (
    bad_records,
    dataset_json,
    file_states,
    imagenet,
    labels,
    record_counts,
    record_faults,
    record_frames,
    split_files,
)
from datasets.dataset import Dataset, Shard
from datasets.files import combined
from errors import UserError, nearest


@dataclasses.dataclass(frozen=True)
class DatasetSpec:
    """What the files of a dataset do not say themselves.

    Attributes:
      file_pattern: of the TFRecords' names; %s stands for the split.
      splits: their usual names.
      num_classes: used only where there is no labels.txt, as is `class_names`.
      num_channels: 3 (RGB) or 1 (grey).
      label_default: the label of a record that has none; -1 makes it an error.
      format_default: the format of a record that names none.
      class_names: by label, where they are known.
    """

    file_pattern: str
    splits: tuple[str, ...]
    num_classes: int
    num_channels: int = 3
    label_default: int = -1
    format_default: str = ""
    class_names: tuple[str, ...] | None = None


# slim's datasets. How many examples there are is counted, never written down.
_REGISTRY = {
    "cifar10": DatasetSpec("cifar10_%s.tfrecord", ("train", "test"), 10, 3, 0, "png"),
    "flowers": DatasetSpec(
        "flowers_%s_*.tfrecord", ("train", "validation"), 5, 3, 0, "png"
    ),
    "imagenet": DatasetSpec(
        "%s-*",
        ("train", "validation"),
        1001,
        3,
        -1,
        "jpeg",
        imagenet.class_names(1001),
    ),
    "mnist": DatasetSpec("mnist_%s.tfrecord", ("train", "test"), 10, 1, 0, "raw"),
    "visualwakewords": DatasetSpec("%s.record-*", ("train", "val"), 2, 3, -1, "jpeg"),
}

_GENERIC_SPEC = DatasetSpec("", (), 0)


def register_dataset(name: str, spec: DatasetSpec) -> None:
    """Makes `--dataset_name=name` known, for files that do not say enough themselves.

    Raises:
      UserError: the name is taken by another dataset.
    """
    if _REGISTRY.setdefault(name, spec) != spec:
        raise UserError(f"dataset {name!r} is registered already: choose another name")


def get_dataset(
    name: str,
    split_name: str,
    dataset_dir: str,
    *,
    max_bad_records: int = 0,
    labels_offset: int = 0,
) -> Dataset:
    """Describes a split of a dataset from its files.

    Args:
      name: a stock or registered name, the name in dataset.json, or the name that
        the TFRecords begin with.
      split_name: for instance "train".
      dataset_dir: the directory of the TFRecords.
      max_bad_records: unfit records that may be left out; with 0 the input pipeline
        meets them. With any other number every record is decoded once.
      labels_offset: subtracted from labels before they are used; decides only on
        which labels are unfit.

    Returns:
      The record that the input pipeline reads.

    Raises:
      UserError: name, split, directory or files are not there or do not fit; the
        message names what is there.
    """
    info = _described(name, dataset_dir)
    tolerant = max_bad_records > 0
    if info is None:
        dataset = _from_files(name, split_name, dataset_dir, tolerant)
    else:
        dataset = _from_json(info, split_name, dataset_dir, tolerant)
    if tolerant:
        dataset = bad_records.leave_out(dataset, max_bad_records, labels_offset)
    if not dataset.num_examples:
        raise UserError(
            f"split {split_name!r} in {dataset_dir} holds no record that can be used"
            f" ({len(dataset.shards)} empty files): convert the photos again"
        )
    return dataset


def _from_json(
    info: dataset_json.DatasetInfo, split_name: str, dataset_dir: str, tolerant: bool
) -> Dataset:
    """The route with dataset.json, which says all."""
    split = info.splits.get(split_name)
    if split is None or not split.num_examples:
        raise _no_split(info.name, split_name, dataset_dir, list(info.splits))
    if file_fault := dataset_json.find_file_fault(dataset_dir, split):
        path, reason = file_fault
        if not (tolerant and os.path.isfile(path)):
            record_fault = record_faults.find_unreadable([path])
            raise UserError("; ".join(filter(None, [reason, record_fault])))
    shards = _shards(dataset_dir, [shard.file for shard in split.shards], tolerant)
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
    )
    changed = [
        shard.path
        for shard, known in zip(shards, split.shards, strict=True)
        if shard.sha256 != known.sha256
    ]
    if not changed or tolerant:
        return dataset
    logging.warning(
        "%s%s changed since dataset.json was written (another SHA-256): what is there"
        " now is counted and read",
        *(changed[0], f" and {len(changed) - 1} more" if changed[1:] else ""),
    )
    return _counted(dataset)


def _shards(
    dataset_dir: str, filenames: Sequence[str], tolerant: bool
) -> tuple[Shard, ...]:
    """The files of a split, their records not yet counted.

    Raises:
      UserError: the lengths of a file's records do not add up; `tolerant` leaves that
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


def available_splits(name: str, dataset_dir: str) -> tuple[str, ...]:
    """The splits of a dataset that have files in the directory, sorted by name.

    Raises:
      UserError: there is no such directory or dataset.
    """
    info = _described(name, dataset_dir)
    if info is not None:
        return tuple(sorted(info.splits))
    return tuple(sorted(_find_splits(name, dataset_dir)))


def require_directory(dataset_dir: str) -> None:
    """Raises a `UserError` unless `dataset_dir` is a directory."""
    if not dataset_dir:
        raise UserError("no --dataset_dir: name the directory that holds the TFRecords")
    if not os.path.isdir(dataset_dir):
        raise UserError(
            f"--dataset_dir={dataset_dir} is no directory: name the one that holds the"
            " TFRecords (convert/images_to_tfrecord.py makes it from photos)"
        )


def _described(name: str, dataset_dir: str) -> dataset_json.DatasetInfo | None:
    """What dataset.json says, if the directory has one."""
    require_directory(dataset_dir)
    info = dataset_json.read(dataset_dir)
    if info is not None and info.name != name:
        raise UserError(
            f"--dataset_name={name}, but {dataset_dir} holds the dataset {info.name!r}:"
            f" use --dataset_name={info.name}, or another --dataset_dir"
        )
    return info


def _from_files(
    name: str, split_name: str, dataset_dir: str, tolerant: bool
) -> Dataset:
    """The route without dataset.json: names from labels.txt, counts by counting.

    A tolerant one leaves counting to `bad_records`.
    """
    spec = _REGISTRY.get(name, _GENERIC_SPEC)
    splits = _find_splits(name, dataset_dir)
    filenames = splits.get(split_name)
    if filenames is None:
        raise _no_split(name, split_name, dataset_dir, list(splits))
    split_files.check_complete(filenames, dataset_dir)
    class_names = labels.read(dataset_dir) or spec.class_names
    num_classes = len(class_names) if class_names else spec.num_classes
    if not num_classes:
        raise UserError(
            f"{dataset_dir} has neither dataset.json nor labels.txt: write a labels.txt"
            " with one id:name line a class"
        )
    shards = _shards(dataset_dir, filenames, tolerant)
    dataset = Dataset(
        name=name,
        split_name=split_name,
        dataset_dir=dataset_dir,
        shards=shards,
        num_examples=0,
        num_classes=num_classes,
        class_names=class_names,
        class_counts=(),
        num_channels=spec.num_channels,
        fingerprint=combined(shard.sha256 for shard in shards),
        label_default=spec.label_default,
        format_default=spec.format_default,
    )
    return dataset if tolerant else _counted(dataset)


def _counted(dataset: Dataset) -> Dataset:
    digests = {os.path.basename(shard.path): shard.sha256 for shard in dataset.shards}
    counts = record_counts.count(dataset.dataset_dir, digests)
    return dataclasses.replace(
        dataset,
        shards=tuple(
            dataclasses.replace(shard, num_records=file.num_records)
            for shard, file in zip(dataset.shards, counts, strict=True)
        ),
        num_examples=sum(file.num_records for file in counts),
        class_counts=_class_counts(dataset, counts),
    )


def _class_counts(
    dataset: Dataset, counts: Sequence[record_counts.FileCounts]
) -> tuple[int, ...]:
    """Examples of each class; a label that is no class is an error."""
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


def _find_splits(name: str, dataset_dir: str) -> dict[str, list[str]]:
    """The TFRecord file names of each split, sorted."""
    spec = _REGISTRY.get(name, _GENERIC_SPEC)
    patterns = {
        split: spec.file_pattern.replace("%s", glob.escape(split))
        for split in spec.splits
    }
    filenames = split_files.visible_files(dataset_dir)
    splits = split_files.find_splits(name, filenames, patterns)
    if not splits:
        raise _no_files(name, dataset_dir, filenames)
    return splits


def _no_split(
    name: str, split_name: str, dataset_dir: str, splits: Sequence[str]
) -> UserError:
    return UserError(
        f"dataset {name!r} in {dataset_dir} has no split {split_name!r}"
        f"{nearest(split_name, splits)}: its splits are {', '.join(sorted(splits))}"
    )


def _no_files(name: str, dataset_dir: str, filenames: Sequence[str]) -> UserError:
    shown = ", ".join(filenames[:3]) + (", …" if len(filenames) > 3 else "")
    spec = _REGISTRY.get(name)
    expected = (
        spec.file_pattern.replace("%s", "<split>")
        if spec
        else f"dataset.json or {name}_<split>_*.tfrecord with labels.txt"
    )
    return UserError(
        f"{dataset_dir} has no files of a dataset {name!r}: expected {expected}, found"
        f" {shown or 'an empty directory'}; names that need no labels.txt:"
        f" {', '.join(sorted(_REGISTRY))}"
    )
