"""Writes TFRecord files. Imports TensorFlow."""

import concurrent.futures
import errno
import hashlib
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence

from common.atomic_files import sha256
from common.in_order import in_order
from common.quiet_tensorflow import tf
from convert.tfrecords import parallel
from convert.tfrecords.shards import Shard, bounds
from convert.tfrecords.source_photo import Checked
from datasets import example_schema
from datasets.dataset_json import ShardInfo
from datasets.photos.photo_codec import StoredPhoto
from errors import UserError


def write_shard(
    shard: Shard,
    *,
    directory: str,
    labels: Mapping[str, int],
    keeps: bool,
    num_readers: int,
) -> ShardInfo:
    """Writes a file of photos, each of which is counted for `parallel.processes`.

    Args:
      shard: the file.
      directory: folder for it.
      labels: class names to labels.
      keeps: leaves the files of re-encoded photos.
      num_readers: number of photos read at the same time. One is the fastest on a local
        disk, as threads cost more than they save.

    Raises:
      OSError: the disk is full.
      UserError: a photo changed since it was checked, or the file cannot be written.
    """
    path = os.path.join(directory, shard.filename)

    def record(photo: Checked) -> bytes:
        return _record(photo, labels[photo.source.class_name], keeps=keeps)

    with concurrent.futures.ThreadPoolExecutor(num_readers) as executor:
        records: Iterator[bytes] = map(record, shard.photos)
        if num_readers > 1:
            records = in_order(executor, record, shard.photos, 4 * num_readers)
        return _write_shard(path, map(parallel.count, records))


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
      OSError: the disk is full.
      UserError: a file cannot be written.
    """
    ends = bounds(num_records, len(filenames))
    return tuple(
        _write_shard(
            os.path.join(directory, name), itertools.islice(records, end - start)
        )
        for name, start, end in zip(filenames, ends, ends[1:], strict=False)
    )


def _write_shard(path: str, records: Iterator[bytes]) -> ShardInfo:
    number = 0
    try:
        with tf.io.TFRecordWriter(path) as writer:
            for serialized in records:
                writer.write(serialized)
                number += 1
    except tf.errors.ResourceExhaustedError as error:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path) from error
    except tf.errors.OpError as error:
        raise UserError(f"{path} cannot be written: {error.message}") from error
    with open(path, "rb") as file:
        os.fsync(file.fileno())
    return ShardInfo(
        os.path.basename(path), number, os.path.getsize(path), sha256(path)
    )


def _record(photo: Checked, label: int, *, keeps: bool) -> bytes:
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
