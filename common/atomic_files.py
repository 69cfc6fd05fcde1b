"""Files that appear whole or not at all."""

import contextlib
import fcntl
import glob
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

from common import storage
from errors import UserError


@contextlib.contextmanager
def explained_errors() -> Iterator[None]:
    """Turns errors of the system (no space, no permission) into a `UserError`."""
    try:
        yield
    except BrokenPipeError:  # the reader of stdout is gone; handled in `config.app`
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise UserError(f"{where}{error.strerror or error}") from error


@contextlib.contextmanager
def atomic_write(path: str, mode: str = "wb") -> Iterator[IO[Any]]:
    """Opens a file that replaces `path` once the block succeeds.

    The bytes go to a hidden file in the same directory, which is flushed to disk and
    then renamed; if the block raises, `path` is left as it was. An object is uploaded
    from a temporary file.

    Args:
      path: the file to create or replace.
      mode: "wb", or "w" for UTF-8 text with unchanged line ends.

    Yields:
      The open file.
    """
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    if storage.is_object(path):
        with tempfile.NamedTemporaryFile(mode, **text) as file:  # type: ignore[call-overload]
            yield file
            file.flush()
            storage.upload(file.name, path)
        return
    directory, name = os.path.split(path)
    remove_leftovers(directory, name)
    aside = os.path.join(directory, f".{name}.tmp-{os.getpid()}")
    try:
        with open(aside, mode, opener=_open_new, **text) as file:  # type: ignore[call-overload]
            lock(file.fileno())
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.remove(aside)
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = path  # the system does not say which disk is full
        raise
    sync_directory(directory)


def _open_new(path: str, flags: int) -> int:
    """Opens a new file, replacing whatever another process has put there."""
    with contextlib.suppress(FileNotFoundError):
        os.remove(path)
    return os.open(path, flags | os.O_EXCL | os.O_NOFOLLOW, 0o666)


@contextlib.contextmanager
def scratch_directory(parent: str, name: str) -> Iterator[str]:
    """A hidden directory `.NAME.tmp-…` that exists during the block.

    It is always on a disk of this machine; for object storage, among the temporary
    files.

    Args:
      parent: an existing directory.
      name: identifies the directories of killed runs, which are removed first.

    Yields:
      Its path.
    """
    parent = storage.making_folder(os.path.join(parent, name))
    remove_leftovers(parent, name)
    directory = tempfile.mkdtemp(prefix=f".{name}.tmp-", dir=parent)
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        lock(descriptor)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(descriptor)


def remove_leftovers(directory: str, name: str) -> None:
    """Removes files and directories `.NAME.tmp-…` whose writers are dead.

    Their writers hold a lock on them, which ends with the process. Object storage has
    none.
    """
    if storage.is_object(directory):
        return
    pattern = os.path.join(glob.escape(directory), f".{glob.escape(name)}.tmp-*")
    for path in glob.glob(pattern):
        # Neither links nor what cannot be opened: they belong to other programs.
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if lock(descriptor):
                    shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
            finally:
                os.close(descriptor)


def lock(descriptor: int) -> bool:
    """Locks a file or directory until it is closed; returns whether that succeeded."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # locked by another process, or no locks on this file system
        return False
    return True


def publish(staging_dir: str, target_dir: str, *, last: Sequence[str]) -> None:
    """Moves the files of `staging_dir` into `target_dir`, then removes it.

    Args:
      staging_dir: a directory on the same file system, whose files are complete and
        flushed to disk; for object storage, on a disk of this machine.
      target_dir: where they go; files of the same names are replaced.
      last: names of files that are moved after all others, in this order: as long as
        the very last is absent, readers know that the set is incomplete.
    """
    there = set(os.listdir(staging_dir))  # without what was moved before a kill
    for name in (*sorted(there.difference(last)), *filter(there.__contains__, last)):
        if name == last[-1]:
            sync_directory(target_dir)
        move(os.path.join(staging_dir, name), os.path.join(target_dir, name))
    sync_directory(target_dir)
    os.rmdir(staging_dir)


def move(staged_path: str, path: str) -> None:
    """Puts a finished file where `path` says: by renaming it, or by an upload."""
    if storage.is_object(path):
        storage.upload(staged_path, path)
        os.remove(staged_path)
    else:
        os.replace(staged_path, path)


def move_new(staged_path: str, path: str) -> None:
    """Like `move`, of a file or folder where nothing is yet."""
    if not storage.is_object(path):
        os.rename(staged_path, path)
    elif os.path.isdir(staged_path):
        storage.upload_folder(staged_path, path)
    else:
        storage.upload(staged_path, path)


def sync_directory(directory: str) -> None:
    """Makes renames in `directory` reach the disk."""
    if storage.is_object(directory):
        return
    descriptor = os.open(directory or ".", os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: str) -> str:
    """The SHA-256 of the whole file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with storage.open_bytes(path) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def combined(digests: Iterable[str]) -> str:
    """Combines several digests into one of 32 hexadecimal digits."""
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:32]
