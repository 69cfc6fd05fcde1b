"""Finds the files of each split by their names."""

import fnmatch
import glob
import os
import re
from collections.abc import Mapping, Sequence

from common import storage
from common.untrusted_text import first_few
from errors import UserError

_SHARD_NUMBER = re.compile(r"(\d+)-of-(\d+)")


def visible_files(directory: str) -> list[str]:
    """The sorted names of the files in a directory, without hidden ones."""
    return sorted(n for n in storage.files_in(directory) if not n.startswith("."))


def find_splits(
    name: str, filenames: Sequence[str], patterns: Mapping[str, str]
) -> dict[str, list[str]]:
    """The sorted TFRecord file names of each split.

    A known data set uses its own patterns first. The remaining files, and those of
    other data sets, are matched by the forms that slim and its users write.

    Args:
      name: name of the data set.
      filenames: the sorted names of all files.
      patterns: file patterns by split, if known.
    """
    prefix = re.escape(name)
    number = _SHARD_NUMBER.pattern
    forms = [
        rf"{prefix}[_-](?P<split>.+?)[_-]{number}(\.tfrecord)?",
        rf"{prefix}_(?P<split>[^_]+)(_.*)?\.tfrecord",
        rf"(?P<split>[^.]+)\.record-{number}",
        rf"(?P<split>[^.]+?)-{number}(\.tfrecord)?",
    ]
    splits: dict[str, list[str]] = {}
    for split, pattern in patterns.items():
        if matches := fnmatch.filter(filenames, pattern):
            splits[split] = matches
    claimed = {filename for matches in splits.values() for filename in matches}
    for filename in filenames:
        matched = (re.fullmatch(form, filename) for form in forms)
        match = next(filter(None, matched), None)
        if match and filename not in claimed:
            splits.setdefault(match["split"], []).append(filename)
    return splits


def matching(
    file_pattern: str, split_name: str, dataset_dir: str
) -> dict[str, list[str]]:
    """The sorted files of one split, by the caller's pattern.

    Args:
      file_pattern: pattern of paths in `dataset_dir`; %s stands for the split.
      split_name: for instance "train".
      dataset_dir: the directory.

    Returns:
      The paths of the files relative to the directory, by split.

    Raises:
      UserError: the pattern has no %s, or no file matches.
    """
    if "%s" not in file_pattern:
        raise UserError(
            f"file_pattern={file_pattern!r} has no %s, which stands for the split:"
            " write it as in 'flowers_%s_*.tfrecord'"
        )
    pattern = file_pattern.replace("%s", glob.escape(split_name))
    filenames = sorted(storage.matches(pattern, dataset_dir))
    if not filenames:
        raise UserError(f"{dataset_dir} has no file {pattern}: correct file_pattern")
    return {split_name: filenames}


def check_complete(filenames: Sequence[str], dataset_dir: str) -> None:
    """Checks files that are numbered -of-N for missing and stray ones.

    Raises:
      UserError: a file is missing, or there are two sets.
    """
    numbers = [
        (int(match[1]), int(match[2]))
        for match in map(_SHARD_NUMBER.search, filenames)
        if match
    ]
    totals = sorted({total for _, total in numbers})
    if len(totals) > 1:
        raise UserError(
            f"{dataset_dir} holds shards numbered both -of-{totals[0]:05d} and"
            f" -of-{totals[1]:05d} of one split: remove the outdated set"
        )
    if not totals:
        return
    missing = sorted(set(range(totals[0])) - {index for index, _ in numbers})
    if missing:
        shards = (f"{index:05d}-of-{totals[0]:05d}" for index in missing)
        names = [_SHARD_NUMBER.sub(shard, filenames[0]) for shard in shards]
        first = first_few([os.path.join(dataset_dir, name) for name in names], 1)
        raise UserError(
            f"{first} {'are' if missing[1:] else 'is'} missing: there are"
            f" {len(filenames)} of {totals[0]} shards; put the rest there too"
        )
