"""Reads the records of a data set's files, without those to leave out."""

from collections.abc import Callable

import tensorflow as tf

from datasets.dataset import Dataset, Shard

BUFFER_BYTES = 8 << 20


def reader(dataset: Dataset) -> Callable[[tf.Tensor], tf.data.Dataset]:
    """Returns a function that reads one file.

    Args:
      dataset: the split.

    Returns:
      A function from an index into `dataset.shards` to elements (place, record): the
      index of the record in the file, int64, from 0, and its bytes.
    """
    paths = tf.constant([shard.path for shard in dataset.shards])

    def whole(shard: tf.Tensor) -> tf.data.Dataset:
        return tf.data.TFRecordDataset(
            paths[shard], buffer_size=BUFFER_BYTES
        ).enumerate()

    # Beyond the last record that is used, the file may be unreadable.
    ends = tf.constant([_end(shard) for shard in dataset.shards], tf.int64)

    def used_part(shard: tf.Tensor) -> tf.data.Dataset:
        return whole(shard).take(ends[shard])

    if not dataset.num_bad_records:
        return used_part if any(s.is_cut for s in dataset.shards) else whole
    bad = [shard.bad_records for shard in dataset.shards]
    bad_places = tf.ragged.constant(bad, tf.int64, ragged_rank=1)

    def without_bad(shard: tf.Tensor) -> tf.data.Dataset:
        return used_part(shard).filter(
            lambda place, _: tf.reduce_all(tf.not_equal(place, bad_places[shard]))
        )

    return without_bad


def _end(shard: Shard) -> int:
    """The index after the last record that is used."""
    used = set(range(shard.num_records)).difference(shard.bad_records)
    return max(used, default=-1) + 1
