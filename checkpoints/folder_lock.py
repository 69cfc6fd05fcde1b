"""One training run per folder: a lock that ends with the process that holds it."""

import contextlib
import errno
import fcntl
import os
import re
import socket
import stat
from collections.abc import Callable, Iterator

from absl import logging

from common import storage
from errors import UserError

FILE_NAME = ".lock"
# What a holder writes; a file with any other content is not ours.
_NOTE = re.compile(rb"process \d+ on [^\n]*")
_MAX_NOTE_BYTES = 400


@contextlib.contextmanager
def locked(folder: str, *, busy: Callable[[str], str] | None = None) -> Iterator[None]:
    """Holds the lock of a folder during the block.

    If the file system has no locks, there is a warning instead; object storage has
    none.

    Args:
      folder: an existing folder; the lock is its file `.lock`. Others may write to the
        folder: no link is followed, and nothing is written over what they put there.
      busy: from the holder of the lock to the error message; by default one for runs.

    Raises:
      UserError: another process, which is named, holds it; or it is not a regular file.
    """
    if storage.is_object(folder):
        logging.warning("%s cannot be locked: let no other run train there", folder)
        yield
        return
    descriptor = _open(os.path.join(folder, FILE_NAME))
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, _MAX_NOTE_BYTES, 0).decode(errors="replace")
            holder = holder or "another process"
            message = (
                f"{folder} is in use by {holder}: wait for it to finish, or use another"
                " --train_dir"
            )
            raise UserError(busy(holder) if busy else message) from error
        except OSError as error:
            logging.warning(
                "%s cannot be locked (%s): make sure that no other run uses it",
                *(folder, error.strerror),
            )
        _note_holder(descriptor)
        yield
    finally:
        os.close(descriptor)


def _open(path: str) -> int:
    """Opens the lock, creating it if necessary, accessible only to its owner."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        is_link = error.errno == errno.ELOOP
        reason = "a link stands there" if is_link else error.strerror
        raise UserError(
            f"{path} cannot be opened as this run's lock: {reason}; remove it if it is"
            " yours, or use another folder"
        ) from error
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise UserError(f"{path} is not a regular file: remove it, or use another folder")


def require_held(folder: str) -> None:
    """Raises a `UserError` if another process has taken the folder of this one's lock.

    Where a file system has no locks, or each machine its own, two can hold one: the
    later one's note then stands in the file.
    """
    # Opened anew, since a network file system looks for changes only then.
    try:
        with open(os.path.join(folder, FILE_NAME), "rb") as file:
            note = file.read(_MAX_NOTE_BYTES)
    except OSError:
        return
    if _NOTE.fullmatch(note) and note != _own_note():
        raise UserError(
            f"{folder} has been taken over by {note.decode(errors='replace')}, which"
            " the file system's locks do not prevent: this run ends and saves nothing"
            " more there; use another --train_dir"
        )


def _note_holder(descriptor: int) -> None:
    before = os.pread(descriptor, _MAX_NOTE_BYTES, 0)
    if not before or _NOTE.fullmatch(before):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, _own_note(), 0)


def _own_note() -> bytes:
    return f"process {os.getpid()} on {socket.gethostname()}".encode()
