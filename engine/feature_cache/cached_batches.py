"""Batches of cached features for training and evaluation."""

import numpy as np
import tensorflow as tf

from datasets import pipeline_options
from datasets.dataset import Dataset
from datasets.records import record_stream
from engine.feature_cache.feature_cache import FeatureCache


@tf.autograph.experimental.do_not_convert
def train_batches(
    cache: FeatureCache,
    *,
    num_examples: int,
    batch_size: int,
    seed: int,
    start_batch: int = 0,
    is_balanced: bool = False,
) -> tf.data.Dataset:
    """Endless batches of features, in the order of `input_pipeline.train_batches`.

    Args:
      cache: a full one.
      num_examples: the number of examples of the split; the cache holds each once per
        view.
      batch_size: rows in every batch.
      seed: determines the order.
      start_batch: number of batches to skip at the start.
      is_balanced: whether the examples of the classes take turns.

    Returns:
      Elements {"features": tuple of `[batch_size, ...]` float32, "label":
      `[batch_size]` int32}.
    """
    num_views = cache.num_rows // num_examples
    first_epoch, first_place = divmod(start_batch * batch_size, num_examples)

    order_of = record_stream.shuffled(num_examples, seed)
    if is_balanced:
        order_of = record_stream.balanced(cache.arrays()[-1][:num_examples], seed)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        times, indexes = order_of(epoch)
        return tf.data.Dataset.from_tensor_slices(
            times % num_views * num_examples + indexes
        )

    def load(numbers: tf.Tensor) -> dict[str, tf.Tensor]:
        features, labels = cache.rows(numbers)
        return {"features": features, "label": labels}

    batches = (
        tf.data.Dataset.range(first_epoch, tf.int64.max)
        .flat_map(one_epoch)
        .skip(first_place)
        .batch(batch_size, drop_remainder=True)
        .map(load)
        .prefetch(tf.data.AUTOTUNE)
    )
    return pipeline_options.apply(batches)


@tf.autograph.experimental.do_not_convert
def eval_batches(
    cache: FeatureCache, dataset: Dataset, *, batch_size: int
) -> tf.data.Dataset:
    """Batches that hold each row once, in order, as `input_pipeline.eval_batches`.

    Args:
      cache: a full one, of one view.
      dataset: the split.
      batch_size: rows in every batch; the last one repeats row 0, masked.

    Returns:
      Elements {"features", "label", "mask", "shard", "record"}.
    """
    places = [
        np.delete(np.arange(shard.num_records, dtype=np.int32), shard.bad_records)
        for shard in dataset.shards
    ]
    shards = np.repeat(np.arange(len(places), dtype=np.int32), list(map(len, places)))
    records = np.concatenate(places)
    num_batches = -(-cache.num_rows // batch_size)

    def load(first: tf.Tensor) -> dict[str, tf.Tensor]:
        numbers = first + tf.range(batch_size, dtype=tf.int64)
        mask = numbers < cache.num_rows
        numbers = tf.where(mask, numbers, 0)
        features, labels = cache.rows(numbers)
        return {
            "features": features,
            "label": labels,
            "mask": mask,
            "shard": tf.gather(shards, numbers),
            "record": tf.gather(records, numbers),
        }

    firsts = tf.data.Dataset.range(0, num_batches * batch_size, batch_size)
    return pipeline_options.apply(firsts.map(load).prefetch(tf.data.AUTOTUNE))
