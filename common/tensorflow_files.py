"""TensorFlow's file systems as Python's: files, and the operating system's errors."""

import contextlib
import errno
import functools
import importlib
import importlib.util
import io
import os
from collections.abc import Iterator
from typing import IO, Any

from errors import UserError, first_line

_READ_BYTES = 1 << 20  # of an object at once


def file_systems(path: str) -> Any:
    """`tf.io.gfile`, whose functions raise OSErrors in place of TensorFlow's.

    Raises:
      UserError: nothing is known of such paths.
    """
    scheme = path.partition("://")[0]
    known = _known_schemes()
    if scheme not in known:
        raise UserError(
            f"{path}: TensorFlow does not support {scheme}:// here, only"
            f" {', '.join(f'{s}://' for s in sorted(known))}; {_remedy(scheme)}"
        )
    return importlib.import_module("tensorflow").io.gfile


@functools.cache
def _known_schemes() -> frozenset[str]:
    """What object storage can be reached; s3:// only where tensorflow-io is there."""
    gfile = importlib.import_module("tensorflow").io.gfile
    if importlib.util.find_spec("tensorflow_io"):
        importlib.import_module("tensorflow_io")
    return frozenset(gfile.get_registered_schemes()) - {"", "file"}


def _remedy(scheme: str) -> str:
    if scheme in ("s3", "hdfs", "az"):
        return f"{scheme}:// needs the package tensorflow-io, for this TensorFlow"
    return "name a folder of this machine by its path alone"


@contextlib.contextmanager
def os_errors(path: str) -> Iterator[None]:
    """Turns TensorFlow's errors into those that the operating system would raise."""
    try:
        yield
    except Exception as error:
        errors = importlib.import_module("tensorflow").errors
        if not isinstance(error, errors.OpError):
            raise
        if isinstance(error, errors.NotFoundError):
            kind = errno.ENOENT
        elif isinstance(
            error, errors.PermissionDeniedError | errors.UnauthenticatedError
        ):
            kind = errno.EACCES
        else:
            kind = errno.EIO
        # Of what is not there, the message would be the server's page.
        text = os.strerror(kind) if kind == errno.ENOENT else first_line(error)
        raise OSError(kind, text, path) from error


def open_object(path: str, num_bytes: int, buffering: int) -> IO[bytes]:
    """An object of so many bytes, opened for reading, with at least 1 MB of buffer."""
    return io.BufferedReader(_ObjectFile(path, num_bytes), max(buffering, _READ_BYTES))


class _ObjectFile(io.RawIOBase):
    """An object as a raw file of Python's."""

    def __init__(self, path: str, num_bytes: int) -> None:
        super().__init__()
        self._path = path
        self._size = num_bytes
        self._file = file_systems(path).GFile(path, "rb")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: self._size}
        place = start[whence] + offset
        with os_errors(self._path):
            self._file.seek(place)
        return place

    def tell(self) -> int:
        return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:
        with os_errors(self._path):
            content = self._file.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
