"""Where every record of a split lies, so that any of them can be read by itself.

A split that memory does not hold is shuffled as a whole by it, and each of several
machines reads its own records only. TensorFlow reads TFRecord files from their start.
"""

import os

import numpy as np
import tensorflow as tf
from absl import logging

from common import storage
from common.atomic_files import atomic_write
from common.progress import progress
from datasets.dataset import Dataset
from datasets.records import record_frames
from datasets.records.record_stream import Records, shuffled
from errors import UserError


class RecordIndex:
    """The places of a split's records, read one by one.

    The checksums of records are not checked: those of the files are, when the split is
    opened.
    """

    def __init__(self, dataset: Dataset) -> None:
        """Reads the lengths of all records, or what an earlier run noted of them.

        Args:
          dataset: the split; bad records are left out.

        Raises:
          UserError: a file does not hold the records that were counted.
        """
        self._num_examples = dataset.num_examples
        self._paths = [shard.path for shard in dataset.shards]
        self._descriptors: dict[int, int] = {}
        self._places = _noted(dataset)

    def by_epoch(self, seed: int) -> Records:
        """The order of `RecordStream.by_epoch` for splits that memory holds.

        Its records are their indexes, int64, for `read` to take.
        """
        order_of = shuffled(self._num_examples, seed)

        def records(epoch: tf.Tensor, first: tf.Tensor) -> tf.data.Dataset:
            times, indexes = order_of(epoch)
            order = tf.data.Dataset.from_tensor_slices((times[first:], indexes[first:]))
            return order.map(lambda times, index: (times, index, index))

        return records

    def read(self, index: tf.Tensor) -> tf.Tensor:
        """The bytes of a record, a scalar string, by its index, int64."""
        record = tf.numpy_function(self._read, [index], tf.string)
        return tf.ensure_shape(record, [])

    def _read(self, index: np.int64) -> bytes:
        file, at, length = map(int, self._places[index])
        if storage.is_object(self._paths[file]):
            with storage.open_bytes(self._paths[file]) as opened:
                opened.seek(at)
                return opened.read(length)
        if file not in self._descriptors:
            flags = os.O_RDONLY | os.O_CLOEXEC
            self._descriptors[file] = os.open(self._paths[file], flags)
        return os.pread(self._descriptors[file], length, at)


def _noted(dataset: Dataset) -> np.ndarray:
    """File, offset and length of every record, `[num_examples, 3]` int64."""
    name = f".offsets-{dataset.fingerprint[:16]}-{dataset.num_examples}.npy"
    path = os.path.join(dataset.dataset_dir, name)
    try:
        with storage.open_bytes(path) as file:
            places = np.load(file)
        if places.shape == (dataset.num_examples, 3):
            return places
    except (OSError, ValueError):
        pass
    places = _find(dataset)
    try:
        with atomic_write(path) as file:
            np.save(file, places)
    except OSError as error:
        logging.info(
            "%s cannot be written (%s): records will be located again next time",
            *(path, error.strerror),
        )
    return places


def _find(dataset: Dataset) -> np.ndarray:
    found = []
    shards = progress(
        dataset.shards, total=len(dataset.shards), desc="locating records", unit="file"
    )
    for number, shard in enumerate(shards):
        places = record_frames.places(shard.path)[: shard.num_records]
        places = np.delete(places, shard.bad_records, axis=0)
        if len(places) != shard.num_examples:
            raise UserError(
                f"{shard.path} holds {len(places)} whole records where"
                f" {shard.num_examples} were counted: the file changed; start again"
            )
        found.append(np.insert(places, 0, number, axis=1))
    return np.concatenate(found)
