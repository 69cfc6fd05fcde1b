"""Reads and checks every photo, in worker processes where there are many."""

import collections
import functools
import hashlib
import os
import tempfile
from collections.abc import Generator, Iterable, Iterator, Sequence

from common import native_log
from common.in_order import in_order
from convert.tfrecords import parallel
from convert.tfrecords.rejections import Kind, Rejection
from convert.tfrecords.source_photo import Checked, Source
from datasets.photos import deep_photo, photo_bytes, photo_codec, photo_files
from datasets.photos.unfit_photos import UnclearBitsError, UnfitPhotoError

_Numbered = tuple[int, Source]
_PHOTOS_PER_TASK = 32
_BYTES_PER_TASK = 4 << 20
_TASKS_AHEAD = 4  # for each worker


def check_all(
    sources: Sequence[Source],
    spill_dir: str,
    *,
    numbers: Sequence[int] | None = None,
    max_side: int,
    num_workers: int,
    bits: int | None = None,
) -> Generator[Checked | Rejection, None, None]:
    """Checks photos in parallel, yielding in the order of `sources`.

    Args:
      sources: the files.
      spill_dir: folder for photos that had to be re-encoded, by their numbers.
      numbers: the numbers of the sources to check; by default all.
      max_side: see `photo_codec.normalize`.
      num_workers: number of processes; 0 checks in this one.
      bits: see `deep_photo.reduce`.

    Yields:
      For each of these sources, the checked photo or why it cannot be used.

    Raises:
      UserError: a worker process died.
    """
    chosen = range(len(sources)) if numbers is None else numbers
    tasks = _tasks((number, sources[number]) for number in chosen)
    check = functools.partial(
        _check_some, spill_dir=spill_dir, max_side=max_side, bits=bits
    )
    if not num_workers:
        parallel.load_tensorflow()
        for task in tasks:
            with native_log.held_back():  # libtiff complains by itself
                results = check(task)
            yield from results
        return
    window = _TASKS_AHEAD * num_workers
    with parallel.processes(num_workers) as executor:
        for results in in_order(executor, check, tasks, window):
            yield from results


def _tasks(numbered: Iterable[_Numbered]) -> Iterator[list[_Numbered]]:
    """Groups photos: many small ones, so that handing them over costs little."""
    task: list[_Numbered] = []
    num_bytes = 0
    for number, source in numbered:
        task.append((number, source))
        num_bytes += source.num_bytes
        if len(task) == _PHOTOS_PER_TASK or num_bytes >= _BYTES_PER_TASK:
            yield task
            task, num_bytes = [], 0
    if task:
        yield task


def settle_bits(results: Sequence[Checked | Rejection]) -> list[Checked | Rejection]:
    """Decides by their neighbors whether 16-bit photos are dark or use fewer bits.

    The photos of a folder are assumed to come from one camera: if most of its 16-bit
    photos use the whole range, the others are dark; if most do not, it is unknown.

    Args:
      results: the results of `check_all`.

    Returns:
      The same, with photos that remain unclear rejected.
    """
    clear: collections.Counter[str] = collections.Counter()
    for result in results:
        if isinstance(result, Checked) and result.depth:
            clear[os.path.dirname(result.source.path)] += -1 if result.doubt else 1
    return [
        Rejection(result.source.name, Kind.UNCLEAR_BITS, result.doubt)
        if isinstance(result, Checked)
        and result.doubt
        and clear[os.path.dirname(result.source.path)] <= 0
        else result
        for result in results
    ]


def _check_some(
    task: Sequence[_Numbered],
    spill_dir: str,
    max_side: int,
    bits: int | None,
) -> list[Checked | Rejection]:
    return [
        parallel.count(
            _check(source, os.path.join(spill_dir, str(number)), max_side, bits)
        )
        for number, source in task
    ]


def _check(
    source: Source, spill_path: str, max_side: int, bits: int | None
) -> Checked | Rejection:
    doubt = ""
    try:
        data = photo_bytes.read(source.path)
        try:
            photo = photo_codec.normalize(data, max_side=max_side, bits=bits)
        except UnclearBitsError as error:
            doubt = str(error)
            photo = photo_codec.normalize(
                data, max_side=max_side, bits=deep_photo.FULL_BITS
            )
    except UnfitPhotoError as error:
        is_none = photo_files.is_no_photo(source.name, error)
        kind = Kind.NOT_A_PHOTO if is_none else Kind.of(error)
        return Rejection(source.name, kind, str(error))
    spilled = photo.encoded is not data
    if spilled:
        _spill(photo.encoded, spill_path)
    return Checked(
        source=source,
        digest=hashlib.sha256(data).hexdigest(),
        format=photo.format,
        height=photo.height,
        width=photo.width,
        encoded_path=spill_path if spilled else None,
        encoded_digest=hashlib.sha256(photo.encoded).hexdigest() if spilled else "",
        depth=photo.depth,
        doubt=doubt,
    )


def _spill(encoded: bytes, path: str) -> None:
    """Writes a file, whole or not at all: the same task may run twice at a time."""
    folder = os.path.dirname(path)
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        file.write(encoded)
    os.replace(file.name, path)
