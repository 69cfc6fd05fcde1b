"""Reads the bytes of a photo's file, once its type, size and head allow it.

Every photo that a user names is opened here: a named pipe would block the program
forever, and gigabytes that are not a photo would fill the memory.
"""

import os
import stat

from datasets.photos import file_heads
from datasets.photos.unfit_photos import (
    EmptyPhotoError,
    TooLargeFileError,
    UnreadablePhotoError,
)

# Larger than any real photo of `photo_codec.MAX_PIXELS`.
MAX_FILE_BYTES = 512 << 20
_TYPES = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def look(path: str) -> int:
    """The size in bytes of a file that may be a photo, without opening it.

    Raises:
      UnfitPhotoError: it is missing, empty, too large or not a file.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:  # ValueError: NUL in a CSV file's path
        raise UnreadablePhotoError(_words(path, error)) from error
    return _check(status)


def read(path: str) -> bytes:
    """All bytes of a photo's file.

    Raises:
      UnfitPhotoError: see `look`; or its head is not that of a photo.
    """
    look(path)
    try:
        # The file may have been replaced by a pipe; opening that must not block.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            size = _check(os.fstat(file.fileno()))
            head = file.read(file_heads.NUM_BYTES)
            file_heads.check(head)
            return head + file.read(size)
    except OSError as error:
        raise UnreadablePhotoError(_words(path, error)) from error


def _check(status: os.stat_result) -> int:
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFDIR:
        raise UnreadablePhotoError("a folder, not a file")
    if kind != stat.S_IFREG:
        raise UnreadablePhotoError(f"{_TYPES.get(kind, 'no file')}, not a regular file")
    if not status.st_size:
        raise EmptyPhotoError("the file is empty")
    if status.st_size > MAX_FILE_BYTES:
        raise TooLargeFileError(
            f"a file of {status.st_size >> 20} MiB; the limit is"
            f" {MAX_FILE_BYTES >> 20} MiB"
        )
    return status.st_size


def _words(path: str, error: Exception) -> str:
    if os.path.islink(path):
        return "a dangling link"
    return getattr(error, "strerror", None) or str(error)
