"""The encoded records of a training split, in the order of each epoch."""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from datasets import example_schema
from datasets.dataset import Dataset
from datasets.records import record_faults, record_files
from datasets.records.balanced_order import BalancedOrder
from errors import UserError

# Encoded records are held in memory up to this size; larger data sets are shuffled
# through a buffer of this size.
_MEMORY_BYTES = 1 << 30
# Number of files read alternately if a data set exceeds memory. A constant, since the
# order of the examples depends on it.
_FILES_IN_TURN = 16


# (epoch, first) → the elements (times, index, record) of an epoch, from number `first`
Records = Callable[[tf.Tensor, tf.Tensor], tf.data.Dataset]
# epoch → times and index of every element, [num_examples] int64 each
EpochOrder = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class RecordStream:
    """The records of a split, read into memory once, if at all."""

    def __init__(self, dataset: Dataset, num_readers: int) -> None:
        """Reads nothing yet.

        Args:
          dataset: the split.
          num_readers: number of files read in parallel.
        """
        self._dataset = dataset
        self._num_readers = num_readers

    def by_epoch(self, seed: int, *, is_balanced: bool = False) -> Records:
        """Returns a function that yields the records of an epoch.

        Args:
          seed: determines the order.
          is_balanced: whether classes take turns; the whole split is then kept in
            memory.

        Returns:
          A function from (epoch, first), int64, to elements (times, index, record):
          each record once or, if balanced, each class as often as any other, without
          the first `first` elements. Times, int64, is how often the record has occurred
          before; the index, int64, counts the records of all files in order, without
          bad ones.

        Raises:
          UserError: a record cannot be read.
        """
        dataset = self._dataset
        if is_balanced:
            labels = example_schema.parse_labels(self._encoded).numpy()
            labels[labels == example_schema.MISSING_LABEL] = dataset.label_default
            return _from_memory(self._encoded, balanced(labels, seed))
        if fits_memory(dataset):
            return _from_memory(self._encoded, shuffled(dataset.num_examples, seed))
        return _from_files(dataset, seed, self._num_readers)

    @functools.cached_property
    def _encoded(self) -> tf.Tensor:
        """All records in the order of the files, `[num_examples]` strings."""
        try:
            return _read_all(self._dataset, self._num_readers)
        except record_faults.READ_ERRORS as error:
            raise record_faults.explain(self._dataset, error) from error


def fits_memory(dataset: Dataset) -> bool:
    """Whether the encoded records are held in memory, and shuffled as a whole."""
    return sum(shard.num_bytes for shard in dataset.shards) <= _MEMORY_BYTES


def _from_memory(encoded: tf.Tensor, order_of: EpochOrder) -> Records:
    def records(epoch: tf.Tensor, first: tf.Tensor) -> tf.data.Dataset:
        times, indexes = order_of(epoch)
        places = tf.data.Dataset.from_tensor_slices((times[first:], indexes[first:]))
        return places.map(lambda times, index: (times, index, encoded[index]))

    return records


def _read_all(dataset: Dataset, num_readers: int) -> tf.Tensor:
    read = record_files.reader(dataset)

    limit = dataset.num_examples + 1  # one more than expected is enough to know

    def whole_file(file: tf.Tensor) -> tf.Tensor:
        records = read(file).map(lambda _, record: record)
        return records.take(limit).batch(limit).get_single_element()

    shards = enumerate(dataset.shards)
    filled = [file for file, shard in shards if shard.num_examples]
    files = tf.data.Dataset.from_tensor_slices(filled).map(
        whole_file, num_parallel_calls=num_readers, deterministic=True
    )
    # Moved record by record: joining the tensors of the files would hold all twice.
    encoded = files.unbatch().take(limit).batch(limit).get_single_element()
    if encoded.shape[0] != dataset.num_examples:
        raise UserError(
            f"{dataset.dataset_dir} holds {encoded.shape[0]} records of split"
            f" {dataset.split_name!r} where {dataset.num_examples} were counted: the"
            " files changed; start again"
        )
    return encoded


def _from_files(dataset: Dataset, seed: int, num_readers: int) -> Records:
    """Reads files in a new order each epoch, through a shuffle buffer."""
    read = record_files.reader(dataset)
    sizes = tf.constant([shard.num_examples for shard in dataset.shards], tf.int64)
    first_indexes = tf.cumsum(sizes, exclusive=True)
    num_bytes = sum(shard.num_bytes for shard in dataset.shards)
    buffer_size = max(1, _MEMORY_BYTES * dataset.num_examples // num_bytes)

    def indexed_file(file: tf.Tensor) -> tf.data.Dataset:
        records = read(file).map(lambda _, record: record)
        return records.enumerate(first_indexes[file])

    def records(epoch: tf.Tensor, first: tf.Tensor) -> tf.data.Dataset:
        epoch_seed = shuffle_seed(seed, epoch)
        files = tf.random.experimental.stateless_shuffle(
            tf.range(len(dataset.shards)), epoch_seed
        )
        buffer_seed = tf.random.stateless_uniform(
            [], epoch_seed, minval=None, maxval=None, dtype=tf.int64
        )
        # Otherwise `shuffle` mixes in TensorFlow's global seed, and fails if that is 0.
        tf.compat.v1.get_default_graph().seed = None
        return (
            tf.data.Dataset.from_tensor_slices(files)
            .interleave(
                indexed_file,
                cycle_length=_FILES_IN_TURN,
                num_parallel_calls=min(num_readers, _FILES_IN_TURN),
                deterministic=True,
            )
            .shuffle(buffer_size, seed=buffer_seed, reshuffle_each_iteration=False)
            .skip(first)
            .map(lambda index, record: (epoch, index, record))
        )

    return records


def shuffled(num_examples: int, seed: int) -> EpochOrder:
    """The order of a split that is shuffled as a whole in every epoch."""

    def order_of(epoch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        times = tf.fill([num_examples], tf.cast(epoch, tf.int64))
        return times, epoch_order(num_examples, seed, epoch)

    return order_of


def balanced(labels: np.ndarray, seed: int) -> EpochOrder:
    """The order in which every class comes as often as any other.

    Args:
      labels: `[num_examples]` integers.
      seed: decides the order.
    """
    order = BalancedOrder(labels, seed)

    def order_of(epoch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        times, indexes = tf.numpy_function(order.epoch, [epoch], [tf.int64, tf.int64])
        shape = [len(labels)]
        return tf.ensure_shape(times, shape), tf.ensure_shape(indexes, shape)

    return order_of


def epoch_order(num_examples: int, seed: int, epoch: tf.Tensor) -> tf.Tensor:
    """The order of an epoch that is shuffled as a whole: `[num_examples]` int64."""
    return tf.random.experimental.stateless_shuffle(
        tf.range(num_examples, dtype=tf.int64), shuffle_seed(seed, epoch)
    )


def shuffle_seed(seed: int, epoch: tf.Tensor) -> tf.Tensor:
    """The stateless seed, [2] int64, of an epoch's order; the second is negative."""
    return tf.stack([tf.constant(seed, tf.int64), -1 - tf.cast(epoch, tf.int64)])
