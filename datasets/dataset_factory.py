"""Which dataset a name and a directory stand for, and what it holds.

Three kinds of directory need no code: one with dataset.json, one with labels.txt and
TFRecords under any of the usual names, and one that slim's own converters made.
"""

import dataclasses
import fnmatch
import glob
import hashlib
import os
import re
from collections.abc import Sequence

from datasets import dataset_json, imagenet, labels, record_counts, record_faults
from datasets.dataset import Dataset, Shard
from datasets.files import fingerprint
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
_SHARD_NUMBER = re.compile(r"(\d+)-of-(\d+)")


def register_dataset(name: str, spec: DatasetSpec) -> None:
    """Makes `--dataset_name=name` known, for files that do not say enough themselves.

    Raises:
      UserError: the name is taken by another dataset.
    """
    if _REGISTRY.setdefault(name, spec) != spec:
        raise UserError(f"dataset {name!r} is registered already: choose another name")


def get_dataset(name: str, split_name: str, dataset_dir: str) -> Dataset:
    """Describes a split of a dataset from its files.

    Args:
      name: a stock or registered name, the name in dataset.json, or the name that
        the TFRecords begin with.
      split_name: for instance "train".
      dataset_dir: the directory of the TFRecords.

    Returns:
      The record that the input pipeline reads.

    Raises:
      UserError: name, split, directory or files are not there or do not fit; the
        message names what is there.
    """
    info = _described(name, dataset_dir)
    if info is None:
        return _from_files(name, split_name, dataset_dir)
    split = info.splits.get(split_name)
    if split is None or not split.num_examples:
        raise _no_split(name, split_name, dataset_dir, list(info.splits))
    if file_fault := dataset_json.find_file_fault(dataset_dir, split):
        path, reason = file_fault
        record_fault = record_faults.find_unreadable([path])
        raise UserError("; ".join(filter(None, [reason, record_fault])))
    paths = [os.path.join(dataset_dir, shard.file) for shard in split.shards]
    return Dataset(
        name=name,
        split_name=split_name,
        dataset_dir=dataset_dir,
        shards=tuple(
            Shard(path, shard.records, shard.bytes)
            for path, shard in zip(paths, split.shards, strict=True)
        ),
        num_examples=split.num_examples,
        num_classes=len(info.classes),
        class_names=info.classes,
        class_counts=split.class_counts,
        num_channels=info.num_channels,
        fingerprint=_combine([fingerprint(path) for path in paths]),
    )


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


def _from_files(name: str, split_name: str, dataset_dir: str) -> Dataset:
    """The route without dataset.json: names from labels.txt, counts by counting."""
    spec = _REGISTRY.get(name, _GENERIC_SPEC)
    splits = _find_splits(name, dataset_dir)
    filenames = splits.get(split_name)
    if filenames is None:
        raise _no_split(name, split_name, dataset_dir, list(splits))
    _check_complete(filenames, dataset_dir)
    class_names = labels.read(dataset_dir) or spec.class_names
    num_classes = len(class_names) if class_names else spec.num_classes
    if not num_classes:
        raise UserError(
            f"{dataset_dir} has neither dataset.json nor labels.txt: write a labels.txt"
            " with one id:name line a class"
        )
    counts = record_counts.count(dataset_dir, filenames)
    shards = tuple(
        Shard(os.path.join(dataset_dir, filename), file.num_records, file.num_bytes)
        for filename, file in zip(filenames, counts, strict=True)
    )
    dataset = Dataset(
        name=name,
        split_name=split_name,
        dataset_dir=dataset_dir,
        shards=shards,
        num_examples=sum(file.num_records for file in counts),
        num_classes=num_classes,
        class_names=class_names,
        class_counts=(),
        num_channels=spec.num_channels,
        fingerprint=_combine([file.fingerprint for file in counts]),
        label_default=spec.label_default,
        format_default=spec.format_default,
    )
    if not dataset.num_examples:
        raise UserError(
            f"split {split_name!r} in {dataset_dir} holds no record"
            f" ({len(shards)} empty files): convert the photos again"
        )
    return dataclasses.replace(dataset, class_counts=_class_counts(dataset, counts))


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
    """The TFRecord file names of each split, sorted.

    Known names go by their own pattern first. What that leaves, and all other names,
    go by the forms that slim and its users write.
    """
    prefix = re.escape(name)
    number = _SHARD_NUMBER.pattern
    forms = [
        rf"{prefix}[_-](?P<split>.+?)[_-]{number}(\.tfrecord)?",
        rf"{prefix}_(?P<split>[^_]+)(_.*)?\.tfrecord",
        rf"(?P<split>[^.]+)\.record-{number}",
        rf"(?P<split>[^.]+?)-{number}(\.tfrecord)?",
    ]
    filenames = sorted(
        entry.name
        for entry in os.scandir(dataset_dir)
        if entry.is_file() and not entry.name.startswith(".")
    )
    splits: dict[str, list[str]] = {}
    spec = _REGISTRY.get(name, _GENERIC_SPEC)
    for split in spec.splits:
        pattern = spec.file_pattern.replace("%s", glob.escape(split))
        if matches := fnmatch.filter(filenames, pattern):
            splits[split] = matches
    claimed = {filename for matches in splits.values() for filename in matches}
    for filename in filenames:
        matched = (re.fullmatch(form, filename) for form in forms)
        match = next(filter(None, matched), None)
        if match and filename not in claimed:
            splits.setdefault(match["split"], []).append(filename)
    if not splits:
        raise _no_files(name, dataset_dir, filenames)
    return splits


def _check_complete(filenames: Sequence[str], dataset_dir: str) -> None:
    """Checks files that are numbered -of-N for a missing or a stray one."""
    numbers = [
        (int(match[1]), int(match[2]))
        for match in map(_SHARD_NUMBER.search, filenames)
        if match
    ]
    totals = sorted({total for _, total in numbers})
    if len(totals) > 1:
        raise UserError(
            f"{dataset_dir} holds shards numbered both -of-{totals[0]:05d} and"
            f" -of-{totals[1]:05d} of one split: remove the set that is out of date"
        )
    if not totals:
        return
    missing = sorted(set(range(totals[0])) - {index for index, _ in numbers})
    if missing:
        first = _SHARD_NUMBER.sub(f"{missing[0]:05d}-of-{totals[0]:05d}", filenames[0])
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UserError(
            f"{os.path.join(dataset_dir, first)}{more} is missing: there are"
            f" {len(filenames)} of {totals[0]} shards; put the rest there too"
        )


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


def _combine(fingerprints: Sequence[str]) -> str:
    return hashlib.sha256("".join(fingerprints).encode()).hexdigest()[:32]
