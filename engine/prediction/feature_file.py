"""Writes features of photos into a NumPy archive as they are computed."""

import contextlib
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import IO

import numpy as np

from common import storage
from common.atomic_files import atomic_write
from engine.prediction.photo_batches import Arrays

_BLOCK_BYTES = 1 << 20


def write(
    path: str,
    rows: Iterable[tuple[str, Arrays]],
    labels: Mapping[str, str] | None = None,
) -> int:
    """Writes an .npz file: `names`, and an array `[photos, …]` for each feature.

    If every photo has a label, the file holds `labels`, too.

    Memory does not grow with the number of photos: each array grows in an unnamed
    temporary file in the folder of `path`.

    Args:
      path: the file to create or replace once everything is written.
      rows: photos with their features, which have the same names and shapes for each.
      labels: labels by the photo's name.

    Returns:
      The number of rows; if there are none, nothing is written.
    """
    names: list[str] = []
    with contextlib.ExitStack() as stack:
        columns: dict[str, _Column] = {}
        for name, arrays in rows:
            for key, array in arrays.items():
                if key not in columns:
                    columns[key] = _Column(stack.enter_context(_nameless(path)), array)
                columns[key].append(array)
            names.append(name)
        if names:
            with atomic_write(path) as whole, zipfile.ZipFile(whole, "w") as archive:
                with _entry(archive, "names") as entry:
                    np.lib.format.write_array(entry, np.array(names))
                if labels and all(name in labels for name in names):
                    with _entry(archive, "labels") as entry:
                        of_rows = np.array([labels[name] for name in names])
                        np.lib.format.write_array(entry, of_rows)
                for key, column in columns.items():
                    with _entry(archive, key) as entry:
                        column.copy_to(entry)
    return len(names)


def _nameless(path: str) -> IO[bytes]:
    """Opens an unnamed temporary file on the disk on which `path` is made."""
    return tempfile.TemporaryFile(dir=storage.making_folder(path))


@contextlib.contextmanager
def _entry(archive: zipfile.ZipFile, name: str) -> Iterator[IO[bytes]]:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
        yield entry


class _Column:
    """An array that grows by rows in a file; its header is written at the end."""

    def __init__(self, file: IO[bytes], first: np.ndarray) -> None:
        self._file = file
        self._shape, self._dtype = first.shape, first.dtype
        self._num_rows = 0

    def append(self, row: np.ndarray) -> None:
        self._file.write(np.ascontiguousarray(row).tobytes())
        self._num_rows += 1

    def copy_to(self, entry: IO[bytes]) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self._num_rows, *self._shape),
        }
        np.lib.format.write_array_header_1_0(entry, header)
        self._file.seek(0)
        shutil.copyfileobj(self._file, entry, _BLOCK_BYTES)
