"""The hidden folder in which a data set is written until it is complete."""

import contextlib
import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator

from absl import logging

from common import atomic_files, storage
from convert.tfrecords import rejections
from datasets import dataset_json, labels
from errors import UserError

PUBLISH = "publish"
SPILL = "photos"
_UPLOADING = ".uploading.json"  # the dataset.json of what is not yet all there


# The names of the folders that `staging` makes.
_OURS = re.compile(r"\..+\.tmp-[0-9a-f]+")


@contextlib.contextmanager
def staging(dataset_dir: str, name: str, num_bytes: int | None = None) -> Iterator[str]:
    """Makes `.NAME.tmp-…` in `dataset_dir`, and removes it however the block ends.

    The folder holds `PUBLISH`, for `publish_dataset`, and `SPILL`, for the rest. For a
    data set in object storage it is among the temporary files of this machine.

    Args:
      dataset_dir: created if necessary, and removed again if it stays empty.
      name: the name of the data set.
      num_bytes: the approximate size of the data set, if known.

    Yields:
      The path of the new folder.

    Raises:
      OSError: the disk is full; the message says what is free and what is needed.
    """
    existed = storage.is_object(dataset_dir) or os.path.isdir(dataset_dir)
    # Named before it exists, so that Ctrl-C cannot leave it behind at any moment.
    hidden = os.path.join(dataset_dir, f".{name}.tmp-{secrets.token_hex(4)}")
    where = storage.making_folder(hidden)
    directory = os.path.join(where, os.path.basename(hidden))
    with _full_disk_explained(dataset_dir, num_bytes):
        try:
            os.makedirs(directory)
            with locked(directory):
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
    """Adds path and numbers to the error of a full disk, which may lack them."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        parent = storage.making_folder(os.path.join(dataset_dir, PUBLISH))
        while parent and not os.path.isdir(parent):
            parent = os.path.dirname(parent)
        free = _megabytes(shutil.disk_usage(parent or ".").free)
        told = f"{error.strerror}: {free} are free without the data set"
        if num_bytes:
            told += f", it needs about {_megabytes(num_bytes)}"
        told += "; free some space, or choose another --dataset_dir"
        raise OSError(error.errno, told, dataset_dir) from error


def _megabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:,.1f} MB"


def refuse_strangers(dataset_dir: str, patterns: Iterable[str]) -> None:
    """Refuses a folder without dataset.json but with files that would mix with ours.

    Args:
      dataset_dir: the folder.
      patterns: for the names of our TFRecord files.

    Raises:
      UserError: there is such a file, or labels.txt.
    """
    for pattern in (*patterns, labels.FILENAME):
        strangers = sorted(storage.matches(pattern, dataset_dir))
        if strangers:
            raise UserError(
                f"{os.path.join(dataset_dir, strangers[0])} exists, but no dataset.json"
                " that says how it was made: delete it, or choose another --dataset_dir"
            )


def publish_dataset(directory: str, dataset_dir: str) -> None:
    """Moves the finished data set out of its staging folder, dataset.json last."""
    publish_dir = os.path.join(directory, PUBLISH)
    if storage.is_object(dataset_dir):
        plan = os.path.join(publish_dir, dataset_json.FILENAME)
        storage.upload(plan, os.path.join(dataset_dir, _UPLOADING))
    # A folder of records with labels.txt would do for a data set, too.
    atomic_files.publish(
        publish_dir, dataset_dir, last=[labels.FILENAME, dataset_json.FILENAME]
    )
    if storage.is_object(dataset_dir):
        storage.remove(os.path.join(dataset_dir, _UPLOADING))


def remove_leftovers(dataset_dir: str) -> None:
    """Undoes what killed runs left, including files they had begun to move out.

    Raises:
      UserError: another run is writing to `dataset_dir`.
    """
    if storage.is_object(dataset_dir):
        _undo_upload(dataset_dir)
        return
    for name in os.listdir(dataset_dir) if os.path.isdir(dataset_dir) else ():
        directory = os.path.join(dataset_dir, name)
        if _OURS.fullmatch(name) and _is_staging(directory):
            with locked(directory):
                _discard(directory, dataset_dir)
    atomic_files.remove_leftovers(dataset_dir, rejections.FILENAME)


def _undo_upload(dataset_dir: str) -> None:
    """Removes what a killed run had uploaded of a data set, unless it was all."""
    planned = _planned_files(dataset_dir, _UPLOADING)
    if storage.exists(os.path.join(dataset_dir, dataset_json.FILENAME)):
        planned = []
    _remove_files(dataset_dir, [*planned, _UPLOADING])


def _remove_files(dataset_dir: str, names: Iterable[str]) -> None:
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            storage.remove(os.path.join(dataset_dir, name))


def _is_staging(directory: str) -> bool:
    """Whether a folder holds nothing but what a killed run can have made."""
    if os.path.islink(directory) or not os.path.isdir(directory):
        return False
    return set(os.listdir(directory)) <= {PUBLISH, SPILL}


def _discard(directory: str, dataset_dir: str) -> None:
    """Removes a staging folder and, unless all were, the files moved out of it."""
    publish_dir = os.path.join(directory, PUBLISH)
    planned = _planned_files(publish_dir)
    moved = [n for n in planned if not os.path.exists(os.path.join(publish_dir, n))]
    _remove_files(dataset_dir, moved)
    shutil.rmtree(directory, ignore_errors=True)


def _planned_files(folder: str, plan: str = dataset_json.FILENAME) -> list[str]:
    """The files that a run may have moved: none before it began or when it was done."""
    try:
        info = dataset_json.read(folder, plan)
    except UserError:
        return []
    if info is None:
        return []
    shards = [shard.file for split in info.splits.values() for shard in split.shards]
    return [*shards, labels.FILENAME, rejections.FILENAME]


@contextlib.contextmanager
def locked(directory: str) -> Iterator[None]:
    """Holds a lock until the process ends, so that no run disturbs another."""
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
            f"another conversion is writing to {dataset_dir}: wait for it, or choose"
            " another --dataset_dir"
        ) from error
    except OSError as error:  # a network file system without locks
        logging.warning(
            "%s cannot be locked (%s): make sure that no other conversion writes there",
            *(dataset_dir, error.strerror),
        )
