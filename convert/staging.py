"""The hidden directory in which a dataset grows until it is whole."""

import contextlib
import fcntl
import glob
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator

from absl import logging

from convert import rejections
from datasets import dataset_json, labels
from datasets.files import publish
from errors import UserError

PUBLISH = "publish"
SPILL = "photos"


@contextlib.contextmanager
def staging(dataset_dir: str, name: str) -> Iterator[str]:
    """Makes `.NAME.tmp-…` inside `dataset_dir`, and removes it however the block ends.

    The directory holds `PUBLISH`, for `publish_dataset`, and `SPILL`, for the rest.

    Args:
      dataset_dir: made if absent; removed again if it stays empty.
      name: of the dataset.

    Yields:
      The path of the new directory.
    """
    existed = os.path.isdir(dataset_dir)
    # Named before it exists, so that Ctrl-C finds no moment to leave it behind.
    directory = os.path.join(dataset_dir, f".{name}.tmp-{secrets.token_hex(4)}")
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
    publish(os.path.join(directory, PUBLISH), dataset_dir, last=dataset_json.FILENAME)


def remove_leftovers(dataset_dir: str) -> None:
    """Undoes what killed runs did, files that they had begun to move out included.

    Raises:
      UserError: another run is at work in `dataset_dir`.
    """
    pattern = os.path.join(glob.escape(dataset_dir), ".*.tmp-*", PUBLISH)
    for publish_dir in glob.glob(pattern):
        directory = os.path.dirname(publish_dir)
        with _locked(directory):
            _discard(directory, dataset_dir)


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
