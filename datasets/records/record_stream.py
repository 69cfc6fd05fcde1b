"""The encoded records of a training split in the order of each epoch."""

from collections.abc import Callable

import tensorflow as tf

from datasets.dataset import Dataset
from datasets.records import record_faults, record_files
from errors import UserError

# Encoded records are held in memory up to this size; larger sets are shuffled through
# a buffer of it.
_MEMORY_BYTES = 1 << 30
# Files read in turn where a set exceeds memory. A constant, since the order of the
# examples depends on it.
_FILES_IN_TURN = 16


# (epoch, first) → an epoch's elements (index, record) from the place `first` on
_Records = Callable[[tf.Tensor, tf.Tensor], tf.data.Dataset]


def records_by_epoch(dataset: Dataset, seed: int, num_readers: int) -> _Records:
    """How an epoch's records come.

    Args:
      dataset: the split.
      seed: decides the order.
      num_readers: files read at the same time.

    Returns:
      A function: (epoch, first), int64 → elements (index, record), each record once,
      but for the `first` ones of the epoch. The index, int64, is the record's place in
      the files, one after the other, bad ones not counted.

    Raises:
      UserError: a record cannot be read.
    """
    if sum(shard.num_bytes for shard in dataset.shards) <= _MEMORY_BYTES:
        return _from_memory(dataset, seed, num_readers)
    return _from_files(dataset, seed, num_readers)


def _from_memory(dataset: Dataset, seed: int, num_readers: int) -> _Records:
    """Keeps all encoded records, so that an epoch is an even shuffle of the whole."""
    try:
        encoded = _read_all(dataset, num_readers)
    except record_faults.READ_ERRORS as error:
        raise record_faults.explain(dataset, error) from error

    def records(epoch: tf.Tensor, first: tf.Tensor) -> tf.data.Dataset:
        order = epoch_order(dataset.num_examples, seed, epoch)[first:]
        return tf.data.Dataset.from_tensor_slices(order).map(
            lambda index: (index, encoded[index])
        )

    return records


def _read_all(dataset: Dataset, num_readers: int) -> tf.Tensor:
    """All records in the order of the files, [num_examples] strings."""
    read = record_files.reader(dataset)

    limit = dataset.num_examples + 1  # one too many is enough to know

    def whole_file(file: tf.Tensor) -> tf.Tensor:
        records = read(file).map(lambda _, record: record)
        return records.take(limit).batch(limit).get_single_element()

    shards = enumerate(dataset.shards)
    filled = [file for file, shard in shards if shard.num_examples]
    files = tf.data.Dataset.from_tensor_slices(filled).map(
        whole_file, num_parallel_calls=num_readers, deterministic=True
    )
    # Moved record by record: joining the files' tensors would hold all twice.
    encoded = files.unbatch().take(limit).batch(limit).get_single_element()
    if encoded.shape[0] != dataset.num_examples:
        raise UserError(
            f"{dataset.dataset_dir} holds {encoded.shape[0]} records of split"
            f" {dataset.split_name!r} where {dataset.num_examples} were counted: the"
            " files changed; start again"
        )
    return encoded


def _from_files(dataset: Dataset, seed: int, num_readers: int) -> _Records:
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
        # Else `shuffle` mixes TensorFlow's global seed in, and fails where that is 0.
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
        )

    return records


def epoch_order(num_examples: int, seed: int, epoch: tf.Tensor) -> tf.Tensor:
    """The order of an epoch that is shuffled as a whole: `[num_examples]` int64."""
    return tf.random.experimental.stateless_shuffle(
        tf.range(num_examples, dtype=tf.int64), shuffle_seed(seed, epoch)
    )


def shuffle_seed(seed: int, epoch: tf.Tensor) -> tf.Tensor:
    """The stateless seed, [2] int64, of an epoch's order; the second is negative."""
    return tf.stack([tf.constant(seed, tf.int64), -1 - tf.cast(epoch, tf.int64)])
