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
    num_shards = min(num_shards, len(photos))
    filenames = [
        f"{stem}_{shard:05d}-of-{num_shards:05d}.tfrecord"
        for shard in range(num_shards)
    ]
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
    counts = Counter(labels[photo.source.class_name] for photo in photos)
    return SplitInfo(
        num_examples=len(photos),
        class_counts=tuple(counts[label] for label in range(len(class_names))),
        shards=shards,
    )


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
    bounds = [
        num_records * shard // len(filenames) for shard in range(len(filenames) + 1)
    ]
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


def _record(photo: Checked, label: int) -> bytes:
    with open(photo.encoded_path or photo.source.path, "rb") as file:
        encoded = file.read()
    if photo.encoded_path:
        os.remove(photo.encoded_path)
    elif hashlib.sha256(encoded).hexdigest() != photo.digest:
        raise UserError(
            f"{photo.source.path} changed during the conversion: try again when"
            " nothing changes the photos"
        )
    stored = StoredPhoto(encoded, photo.format, photo.height, photo.width)
    return serialize(stored, label, photo.source.name)


def serialize(photo: StoredPhoto, label: int, name: str) -> bytes:
    """The record of a photo."""
    return example_schema.build_example(
        photo.encoded, photo.format, label, photo.height, photo.width, name
    )
