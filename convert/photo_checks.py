"""Reads and checks every photo, in worker processes that need no TensorFlow."""

import dataclasses
import functools
import hashlib
import os
from collections.abc import Iterator, Sequence

from convert import parallel
from convert.photo_sources import Source
from convert.rejections import Kind, Rejection
from datasets import photo_codec
from datasets.in_order import in_order
from datasets.photo_files import has_photo_suffix

_PHOTOS_PER_TASK = 8
# So that no worker waits while this process loads TensorFlow. What one gives is small.
_TASKS_AHEAD = 1000


@dataclasses.dataclass(frozen=True)
class Checked:
    """A photo that can be used.

    Attributes:
      source: the file.
      digest: SHA-256 of the file's bytes, as hexadecimal digits.
      format: "jpg" or "png", of what will be stored.
      height: of it, in pixels.
      width: of it, in pixels.
      encoded_path: the file that holds what will be stored, if the source does not.
    """

    source: Source
    digest: str
    format: str
    height: int
    width: int
    encoded_path: str | None


def check_all(
    sources: Sequence[Source], spill_dir: str, *, max_side: int, num_workers: int
) -> Iterator[Checked | Rejection]:
    """Checks photos in parallel, yielding in the order of `sources`.

    Args:
      sources: the files.
      spill_dir: where photos that had to be encoded anew are put.
      max_side: see `photo_codec.normalise`.
      num_workers: processes.

    Yields:
      For each source what it is, or why it cannot be used.

    Raises:
      UserError: a worker process died.
    """
    tasks = (
        (start, sources[start : start + _PHOTOS_PER_TASK])
        for start in range(0, len(sources), _PHOTOS_PER_TASK)
    )
    check = functools.partial(_check_some, spill_dir=spill_dir, max_side=max_side)
    with parallel.processes(num_workers) as executor:
        for results in in_order(executor, check, tasks, _TASKS_AHEAD):
            yield from results


def _check_some(
    task: tuple[int, Sequence[Source]], spill_dir: str, max_side: int
) -> list[Checked | Rejection]:
    start, sources = task
    return [
        _check(source, os.path.join(spill_dir, str(number)), max_side)
        for number, source in enumerate(sources, start)
    ]


def _check(source: Source, spill_path: str, max_side: int) -> Checked | Rejection:
    try:
        with open(source.path, "rb") as file:
            data = file.read()
    except OSError as error:
        return Rejection(source.name, Kind.UNREADABLE, str(error.strerror))
    try:
        photo = photo_codec.normalise(data, max_side=max_side)
    except photo_codec.UnfitPhotoError as error:
        kind = Kind.of(error)
        if kind == Kind.DAMAGED and _is_no_photo(source.name):
            kind = Kind.NOT_A_PHOTO
        return Rejection(source.name, kind, str(error))
    spilled = photo.encoded is not data
    if spilled:
        with open(spill_path, "wb") as file:
            file.write(photo.encoded)
    return Checked(
        source=source,
        digest=hashlib.sha256(data).hexdigest(),
        format=photo.format,
        height=photo.height,
        width=photo.width,
        encoded_path=spill_path if spilled else None,
    )


def _is_no_photo(name: str) -> bool:
    """Whether a file that no decoder knows has a name that promises no photo either."""
    return bool(os.path.splitext(name)[1]) and not has_photo_suffix(name)
