"""Reads the records of a dataset's files, without those that are left out."""

from collections.abc import Callable

import tensorflow as tf

from datasets.dataset import Dataset, Shard

BUFFER_BYTES = 8 << 20


def reader(dataset: Dataset) -> Callable[[tf.Tensor], tf.data.Dataset]:
    """How one file is read.

    Args:
      dataset: the split.

    Returns:
      A function: index into `dataset.shards` → elements (place, record): the record's
      place in the file, int64, counted from 0, and its bytes.
    """
    paths = tf.constant([shard.path for shard in dataset.shards])

    def whole(shard: tf.Tensor) -> tf.data.Dataset:
        return tf.data.TFRecordDataset(
            paths[shard], buffer_size=BUFFER_BYTES
        ).enumerate()

    if not dataset.num_bad_records:
        return whole
    bad = [shard.bad_records for shard in dataset.shards]
    bad_places = tf.ragged.constant(bad, tf.int64, ragged_rank=1)
    # From the last one that is used to the end the file may be past reading.
    ends = tf.constant([_end(shard) for shard in dataset.shards], tf.int64)

    def without_bad(shard: tf.Tensor) -> tf.data.Dataset:
        return (
            whole(shard)
            .take(ends[shard])
            .filter(
                lambda place, _: tf.reduce_all(tf.not_equal(place, bad_places[shard]))
            )
        )

    return without_bad


def _end(shard: Shard) -> int:
    """The place after the last record that is used."""
    used = set(range(shard.num_records)).difference(shard.bad_records)
    return max(used, default=-1) + 1
