"""The hidden directory in which a dataset grows until it is whole."""

import contextlib
import errno
import fcntl
import glob
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator

from absl import logging

from common import atomic_files
from convert.tfrecords import rejections
from datasets import dataset_json, labels
from errors import UserError

PUBLISH = "publish"
SPILL = "photos"


# As `staging` calls its directories.
_OURS = re.compile(r"\..+\.tmp-[0-9a-f]+")


@contextlib.contextmanager
def staging(dataset_dir: str, name: str, num_bytes: int | None = None) -> Iterator[str]:
    """Makes `.NAME.tmp-…` inside `dataset_dir`, and removes it however the block ends.

    The directory holds `PUBLISH`, for `publish_dataset`, and `SPILL`, for the rest.

    Args:
      dataset_dir: made if absent; removed again if it stays empty.
      name: of the dataset.
      num_bytes: what the dataset will need, about, where that is known.

    Yields:
      The path of the new directory.

    Raises:
      OSError: of a full disk, it says what is free and what is needed.
    """
    existed = os.path.isdir(dataset_dir)
    # Named before it exists, so that Ctrl-C finds no moment to leave it behind.
    directory = os.path.join(dataset_dir, f".{name}.tmp-{secrets.token_hex(4)}")
    with _full_disk_explained(dataset_dir, num_bytes):
        try:
            os.makedirs(directory)
            with _locked(directory):
                os.mkdir(os.path.join(directory, PUBLISH))
                os.mkdir(os.path.join(directory, SPILL))
                yield directory
        finally:
            _discard(directory, dataset_dir)
            if not existed:
                with contextlib.suppress(OSError):
                    os.rmdir(dataset_dir)


@contextlib.contextmanager
def _full_disk_explained(dataset_dir: str, num_bytes: int | None) -> Iterator[None]:
    """Completes the error of a full disk, which may name neither path nor numbers."""
    try:
        yield
    except (OSError, UserError) as error:
        cause = error.__cause__ if isinstance(error, UserError) else error
        full = (errno.ENOSPC, errno.EDQUOT)
        if not isinstance(cause, OSError) or cause.errno not in full:
            raise
        parent = dataset_dir
        while parent and not os.path.isdir(parent):
            parent = os.path.dirname(parent)
        free = _megabytes(shutil.disk_usage(parent or ".").free)
        told = f"{cause.strerror}: {free} are free without it"
        if num_bytes:
            told += f", the dataset needs about {_megabytes(num_bytes)}"
        told += "; make room, or choose another --dataset_dir"
        raise OSError(cause.errno, told, dataset_dir) from error


def _megabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:,.1f} MB"


def refuse_strangers(dataset_dir: str, patterns: Iterable[str]) -> None:
    """Refuses a directory, without dataset.json, with files that would mix with ours.

    Args:
      dataset_dir: the directory.
      patterns: what our TFRecords are called.

    Raises:
      UserError: there is such a file, or labels.txt.
    """
    for pattern in (*patterns, labels.FILENAME):
        strangers = glob.glob(os.path.join(glob.escape(dataset_dir), pattern))
        if strangers:
            raise UserError(
                f"{strangers[0]} is there, but no dataset.json that says how it was"
                " made: remove it, or choose another --dataset_dir"
            )


def publish_dataset(directory: str, dataset_dir: str) -> None:
    """Moves the finished dataset out of its staging directory, dataset.json last."""
    publish_dir = os.path.join(directory, PUBLISH)
    atomic_files.publish(publish_dir, dataset_dir, last=dataset_json.FILENAME)


def remove_leftovers(dataset_dir: str) -> None:
    """Undoes what killed runs did, files that they had begun to move out included.

    Raises:
      UserError: another run is at work in `dataset_dir`.
    """
    for name in os.listdir(dataset_dir) if os.path.isdir(dataset_dir) else ():
        directory = os.path.join(dataset_dir, name)
        if _OURS.fullmatch(name) and _is_staging(directory):
            with _locked(directory):
                _discard(directory, dataset_dir)
    atomic_files.remove_leftovers(dataset_dir, rejections.FILENAME)


def _is_staging(directory: str) -> bool:
    """Whether a directory holds nothing but what a run, killed early or late, made."""
    if os.path.islink(directory) or not os.path.isdir(directory):
        return False
    return set(os.listdir(directory)) <= {PUBLISH, SPILL}


def _discard(directory: str, dataset_dir: str) -> None:
    """Removes a staging directory and, unless all have, what has moved out of it."""
    publish_dir = os.path.join(directory, PUBLISH)
    for name in _planned_files(publish_dir):
        if not os.path.exists(os.path.join(publish_dir, name)):
            with contextlib.suppress(FileNotFoundError):
                os.remove(os.path.join(dataset_dir, name))
    shutil.rmtree(directory, ignore_errors=True)


def _planned_files(publish_dir: str) -> list[str]:
    """The files that a run may have moved: none before, or after, it had moved all."""
    try:
        info = dataset_json.read(publish_dir)
    except UserError:
        return []
    if info is None:
        return []
    shards = [shard.file for split in info.splits.values() for shard in split.shards]
    return [*shards, labels.FILENAME, rejections.FILENAME]


@contextlib.contextmanager
def _locked(directory: str) -> Iterator[None]:
    """Holds a lock that ends with the process, so that no run disturbs another."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        _lock(descriptor, os.path.dirname(directory))
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, dataset_dir: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UserError(
            f"another conversion is at work in {dataset_dir}: wait for it, or choose"
            " another --dataset_dir"
        ) from error
    except OSError as error:  # a network file system without locks
        logging.warning(
            "%s cannot be locked (%s): let no other conversion write there",
            *(dataset_dir, error.strerror),
        )
