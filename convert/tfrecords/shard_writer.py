"""Writes the photos of a split to TFRecord files. Imports TensorFlow."""

import concurrent.futures
import errno
import hashlib
import itertools
import os
from collections import Counter
from collections.abc import Iterator, Sequence

from common.atomic_files import sha256
from common.in_order import in_order
from common.progress import progress
from common.quiet_tensorflow import tf
from convert.tfrecords.source_photo import Checked
from datasets import example_schema
from datasets.dataset_json import ShardInfo, SplitInfo
from datasets.photos.photo_codec import StoredPhoto
from errors import UserError


def write_split(
    photos: Sequence[Checked],
    directory: str,
    stem: str,
    *,
    class_names: Sequence[str],
    num_shards: int,
    num_threads: int,
) -> SplitInfo:
    """Writes `STEM_00000-of-00005.tfrecord` and so on.

    Args:
      photos: in the order in which they are stored; each file holds consecutive ones.
      directory: folder for the files.
      stem: the start of their names.
      class_names: a photo's label is the index of its class.
      num_shards: number of files; fewer if there are fewer photos.
      num_threads: number of photos read at the same time.

    Returns:
      The split's entry in dataset.json.

    Raises:
      UserError: a photo changed since it was checked.
    """
    labels = {name: label for label, name in enumerate(class_names)}
    filenames = filenames_of(stem, num_shards, len(photos))
    with concurrent.futures.ThreadPoolExecutor(num_threads) as executor:

        def record(photo: Checked) -> bytes:
            return _record(photo, labels[photo.source.class_name])

        records = progress(
            in_order(executor, record, photos, 4 * num_threads),
            total=len(photos),
            desc=f"writing {stem}",
            unit="photo",
        )
        shards = write_shards(records, len(photos), directory, filenames)
    return split_info(photos, class_names, shards)


def filenames_of(stem: str, num_shards: int, num_photos: int) -> list[str]:
    """The names of a split's files."""
    number = min(num_shards, num_photos)
    return [f"{stem}_{shard:05d}-of-{number:05d}.tfrecord" for shard in range(number)]


def split_info(
    photos: Sequence[Checked], class_names: Sequence[str], shards: Sequence[ShardInfo]
) -> SplitInfo:
    """A split's entry in dataset.json."""
    counts = Counter(photo.source.class_name for photo in photos)
    return SplitInfo(
        num_examples=len(photos),
        class_counts=tuple(counts[name] for name in class_names),
        shards=tuple(shards),
    )


def write_one(
    photos: Sequence[Checked],
    directory: str,
    filenames: Sequence[str],
    place: int,
    *,
    class_names: Sequence[str],
    num_threads: int,
) -> ShardInfo:
    """Writes one of a split's files as `write_split` would, and keeps its photos.

    Args:
      photos: the photos of the split.
      directory: folder for the file.
      filenames: the names of all files of the split.
      place: the position of the file among them.
      class_names: see `write_split`.
      num_threads: see `write_split`.
    """
    labels = {name: label for label, name in enumerate(class_names)}
    bounds = _bounds(len(photos), len(filenames))
    chosen = photos[bounds[place] : bounds[place + 1]]
    with concurrent.futures.ThreadPoolExecutor(num_threads) as executor:

        def record(photo: Checked) -> bytes:
            return _record(photo, labels[photo.source.class_name], keeps=True)

        records = in_order(executor, record, chosen, 4 * num_threads)
        return _write_shard(os.path.join(directory, filenames[place]), records)


def _bounds(num_records: int, num_files: int) -> list[int]:
    return [num_records * file // num_files for file in range(num_files + 1)]


def write_shards(
    records: Iterator[bytes], num_records: int, directory: str, filenames: Sequence[str]
) -> tuple[ShardInfo, ...]:
    """Writes records to files, consecutive ones to each.

    Args:
      records: serialized examples.
      num_records: their number, including those that will be left out.
      directory: folder for the files.
      filenames: their names.

    Raises:
      UserError: a file cannot be written; if the disk is full, its cause is an
        `OSError` that says so.
    """
    bounds = _bounds(num_records, len(filenames))
    return tuple(
        _write_shard(
            os.path.join(directory, name), itertools.islice(records, end - start)
        )
        for name, start, end in zip(filenames, bounds, bounds[1:], strict=False)
    )


def _write_shard(path: str, records: Iterator[bytes]) -> ShardInfo:
    number = 0
    try:
        with tf.io.TFRecordWriter(path) as writer:
            for serialized in records:
                writer.write(serialized)
                number += 1
    except tf.errors.ResourceExhaustedError as error:
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise UserError(f"{path} cannot be written: {error.message}") from full
    except tf.errors.OpError as error:
        raise UserError(f"{path} cannot be written: {error.message}") from error
    with open(path, "rb") as file:
        os.fsync(file.fileno())
    return ShardInfo(
        os.path.basename(path), number, os.path.getsize(path), sha256(path)
    )


def _record(photo: Checked, label: int, *, keeps: bool = False) -> bytes:
    with open(photo.encoded_path or photo.source.path, "rb") as file:
        encoded = file.read()
    digest = hashlib.sha256(encoded).hexdigest()
    if photo.encoded_path and digest != photo.encoded_digest:
        scratch = os.path.dirname(os.path.dirname(photo.encoded_path))
        raise UserError(
            f"{photo.encoded_path}, which holds {photo.source.path} re-encoded, is"
            f" damaged: delete {scratch} and convert again"
        )
    if not photo.encoded_path and digest != photo.digest:
        raise UserError(
            f"{photo.source.path} changed during the conversion: try again when"
            " nothing changes the photos"
        )
    if photo.encoded_path and not keeps:
        os.remove(photo.encoded_path)
    stored = StoredPhoto(encoded, photo.format, photo.height, photo.width)
    return serialize(stored, label, photo.source.name)


def serialize(photo: StoredPhoto, label: int, name: str) -> bytes:
    """The record of a photo."""
    return example_schema.build_example(
        photo.encoded, photo.format, label, photo.height, photo.width, name
    )
