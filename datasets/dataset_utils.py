"""slim's helpers for your own converters, under slim's names."""

import contextlib
import os
import tempfile
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from common import storage
from common.atomic_files import explained_errors
from datasets import example_schema, labels
from errors import UserError

LABELS_FILENAME = labels.FILENAME


def int64_feature(values: int | Sequence[int]) -> tf.train.Feature:
    """A feature of one integer, or of several."""
    numbers = np.ravel(values).tolist()
    return tf.train.Feature(int64_list=tf.train.Int64List(value=numbers))


def float_feature(values: float | Sequence[float]) -> tf.train.Feature:
    """A feature of one number, or of several, stored as float32."""
    numbers = np.ravel(values).tolist()
    return tf.train.Feature(float_list=tf.train.FloatList(value=numbers))


def float_list_feature(values: Sequence[float]) -> tf.train.Feature:
    """A feature of several numbers, stored as float32."""
    return float_feature(values)


def bytes_feature(value: bytes | str) -> tf.train.Feature:
    """A feature of one string; text is stored as UTF-8."""
    return bytes_list_feature([value])


def bytes_list_feature(values: Sequence[bytes | str]) -> tf.train.Feature:
    """A feature of several strings; text is stored as UTF-8."""
    encoded = [tf.compat.as_bytes(value) for value in values]
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=encoded))


def image_to_tfexample(
    image_data: bytes, image_format: bytes | str, height: int, width: int, class_id: int
) -> tf.train.Example:
    """An example with the keys of slim's data sets.

    Args:
      image_data: bytes of the image file.
      image_format: "jpg" or "png".
      height: height of the image, in pixels.
      width: width of the image, in pixels.
      class_id: the label.
    """
    serialized = example_schema.build_example(
        image_data, tf.compat.as_str(image_format), class_id, height, width
    )
    return tf.train.Example.FromString(serialized)


def open_sharded_output_tfrecords(
    exit_stack: contextlib.ExitStack, base_path: str, num_shards: int
) -> list[tf.io.TFRecordWriter]:
    """Opens the files `<base_path>-00000-of-0000N` and so on for writing.

    Args:
      exit_stack: closes the writers.
      base_path: start of the paths of the files.
      num_shards: number of files.

    Returns:
      The writers, in order.
    """
    return [
        exit_stack.enter_context(
            tf.io.TFRecordWriter(f"{base_path}-{shard:05d}-of-{num_shards:05d}")
        )
        for shard in range(num_shards)
    ]


def write_label_file(
    labels_to_class_names: Mapping[int, str],
    dataset_dir: str,
    filename: str = LABELS_FILENAME,
) -> None:
    """Writes the class names, one `id:name` line each."""
    labels.write(dataset_dir, labels_to_class_names, filename)


def has_labels(dataset_dir: str, filename: str = LABELS_FILENAME) -> bool:
    """Whether the directory has a file of class names."""
    return storage.exists(os.path.join(dataset_dir, filename))


def read_label_file(
    dataset_dir: str, filename: str = LABELS_FILENAME
) -> dict[int, str]:
    """The class names by id.

    Raises:
      UserError: there is no such file, or it does not consist of `id:name` lines.
    """
    names = labels.read_by_id(dataset_dir, filename)
    if names is None:
        raise UserError(
            f"{dataset_dir} has no {filename}: write it, or call has_labels first"
        )
    return names


def download_url(url: str, dataset_dir: str) -> str:
    """Downloads a file into a directory, named after the last part of its address.

    Args:
      url: an http or https address.
      dataset_dir: created if missing. An existing file of that name is kept.

    Returns:
      The path of the file.

    Raises:
      UserError: the download failed.
    """
    from common import fetching  # imported late: only notebooks download from here

    path = os.path.join(dataset_dir, url.split("/")[-1])
    with explained_errors():
        os.makedirs(dataset_dir, exist_ok=True)
        if not os.path.exists(path):
            try:
                fetching.download(url, path)
            except fetching.UnreachableError as error:
                raise UserError(f"{error}: download it to {path} by hand") from error
    return path


def download_and_uncompress_tarball(tarball_url: str, dataset_dir: str) -> None:
    """Downloads a tar file into a directory and unpacks it there.

    Only plain files and folders are unpacked, and none outside the directory; existing
    files of the same name are replaced.

    Args:
      tarball_url: an http or https address.
      dataset_dir: created if missing; keeps the tar file as well, which later calls
        unpack.

    Raises:
      UserError: the download failed, or the file is damaged.
    """
    from common import fetching

    archive = download_url(tarball_url, dataset_dir)
    with (
        explained_errors(),
        tempfile.TemporaryDirectory(prefix=".unpack-", dir=dataset_dir) as aside,
    ):
        fetching.unpack(archive, aside)
        for folder, _, filenames in os.walk(aside):
            target = os.path.join(dataset_dir, os.path.relpath(folder, aside))
            os.makedirs(target, exist_ok=True)
            for filename in filenames:
                os.replace(
                    os.path.join(folder, filename), os.path.join(target, filename)
                )
