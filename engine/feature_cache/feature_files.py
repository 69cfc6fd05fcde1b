"""Arrays in the files of a folder, filled row by row and trusted only if unchanged.

`progress.json` holds the number of rows and their checksum in each file. A folder that
does not match it (a file is missing, shorter, longer, changed or of another cache) is
emptied.
"""

import contextlib
import json
import math
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from absl import logging

from common.atomic_files import atomic_write
from common.progress import progress

_PROGRESS_FILE = "progress.json"
_FORMAT_VERSION = 2
_CHUNK_BYTES = 1 << 24

# Shape, rows first, and type of an array.
Kind = tuple[tuple[int, ...], type]


class FeatureFiles:
    """The files of one cache; hold the folder's lock while one is in use.

    Attributes:
      arrays: the memory-mapped files, in the order of the kinds.
      num_done: rows already computed, from the first on.
    """

    def __init__(self, folder: str, kinds: Sequence[Kind]) -> None:
        """Opens the files if they are intact, or creates them.

        Args:
          folder: an existing one, named by the cache's key.
          kinds: the kinds of the arrays, all with the same number of rows.

        Raises:
          OSError: the files cannot be created; none is left behind.
        """
        self._folder = folder
        self._kinds = list(kinds)
        self._paths = [os.path.join(folder, f"{i}.bin") for i in range(len(kinds))]
        self._checksums = [0] * len(kinds)
        self.num_done = 0
        if fault := self._reuse():
            logging.warning(
                "feature cache %s: %s; recomputing all features", folder, fault
            )
        if not self.num_done:
            self._create()
        self.arrays: list[np.ndarray] = [
            np.memmap(path, dtype, "r+", shape=shape)
            for path, (shape, dtype) in zip(self._paths, self._kinds, strict=True)
        ]

    def append(self, parts: Iterable[np.ndarray]) -> None:
        """Writes the next rows, `[n, ...]`, of each array."""
        start = self.num_done
        for number, rows in enumerate(parts):
            self.num_done = start + len(rows)
            written = self.arrays[number][start : self.num_done]
            written[...] = rows
            # Types that Python's buffers do not know (bfloat16) count as bytes too.
            content = written.reshape(-1).view(np.uint8)
            self._checksums[number] = zlib.crc32(content.data, self._checksums[number])

    def flush(self) -> None:
        """Writes the rows so far to disk, so that they outlast this process."""
        for array in self.arrays:
            array.flush()  # type: ignore[attr-defined]
        content = self._settings() | {
            "num_done": self.num_done,
            "crc32": self._checksums,
        }
        with atomic_write(os.path.join(self._folder, _PROGRESS_FILE), "w") as file:
            json.dump(content, file)

    def _settings(self) -> dict[str, Any]:
        """What progress.json must hold to belong to this cache."""
        return {
            "format_version": _FORMAT_VERSION,
            "cache": os.path.basename(self._folder),
            "bytes": [_size(kind) for kind in self._kinds],
        }

    def _reuse(self) -> str | None:
        """Reuses intact rows, or returns what is wrong; None for an empty folder."""
        try:
            with open(os.path.join(self._folder, _PROGRESS_FILE), "rb") as file:
                content = json.load(file)
            num_done, checksums = content["num_done"], content["crc32"]
            settings = {name: content[name] for name in self._settings()}
        except FileNotFoundError:
            files = [path for path in self._paths if os.path.lexists(path)]
            return f"{_PROGRESS_FILE} is missing" if files else None
        except (OSError, ValueError, LookupError, TypeError):
            return f"{_PROGRESS_FILE} is damaged"
        num_rows = self._kinds[0][0][0]
        if settings != self._settings():
            return f"{_PROGRESS_FILE} belongs to another cache"
        counts = type(num_done) is int and 0 <= num_done <= num_rows
        if (
            not counts
            or not isinstance(checksums, list)
            or len(checksums) != len(self._kinds)
        ):
            return f"{_PROGRESS_FILE} is damaged"
        if fault := self._find_fault(num_done, checksums):
            return fault
        self.num_done, self._checksums = num_done, checksums
        return None

    def _find_fault(self, num_done: int, checksums: Sequence[object]) -> str | None:
        """What is wrong with the files, given the checksums of their first rows."""
        for path, kind in zip(self._paths, self._kinds, strict=True):
            if not os.path.isfile(path):
                return f"{os.path.basename(path)} is missing"
            if (size := os.path.getsize(path)) != _size(kind):
                return (
                    f"{os.path.basename(path)} has {size:,} bytes where"
                    f" {_size(kind):,} were written"
                )
        sizes = [num_done * _size((shape[1:], dtype)) for shape, dtype in self._kinds]
        found = [0] * len(sizes)
        for number, chunk in progress(
            self._chunks(sizes),
            total=sum(-(-size // _CHUNK_BYTES) for size in sizes),
            desc="checking the feature cache",
            unit="block",
        ):
            found[number] = zlib.crc32(chunk, found[number])
        for path, crc, known in zip(self._paths, found, checksums, strict=True):
            if crc != known:
                return f"{os.path.basename(path)} has changed since it was written"
        return None

    def _chunks(self, sizes: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """The beginnings of the files, of these sizes, piece by piece."""
        for number, (path, size) in enumerate(zip(self._paths, sizes, strict=True)):
            with open(path, "rb") as file:
                for start in range(0, size, _CHUNK_BYTES):
                    yield number, file.read(min(size - start, _CHUNK_BYTES))

    def _create(self) -> None:
        """Creates the files at their full size."""
        self._checksums = [0] * len(self._kinds)
        self._remove()
        try:
            for path, kind in zip(self._paths, self._kinds, strict=True):
                with open(path, "xb") as file:
                    _reserve(file.fileno(), _size(kind))
        except OSError:
            self._remove()
            raise

    def _remove(self) -> None:
        """Removes the files; a process that still reads them keeps what it has."""
        for path in (os.path.join(self._folder, _PROGRESS_FILE), *self._paths):
            if os.path.lexists(path):
                os.remove(path)


def bytes_in(folder: str) -> int:
    """The size of the files in a folder, from which others may be removed meanwhile."""
    total = 0
    for entry in os.scandir(folder):
        with contextlib.suppress(FileNotFoundError):
            total += entry.stat().st_size
    return total


def rows_done(folder: str) -> int | None:
    """How many rows another process has recorded; None if unknown."""
    try:
        with open(os.path.join(folder, _PROGRESS_FILE), "rb") as file:
            return int(json.load(file)["num_done"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _reserve(descriptor: int, num_bytes: int) -> None:
    """Allocates a file now, so that a full disk shows before the first row."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, num_bytes)
    else:  # macOS cannot: there it shows when rows are written
        os.truncate(descriptor, num_bytes)


def _size(kind: Kind) -> int:
    shape, dtype = kind
    return math.prod(shape) * np.dtype(dtype).itemsize
