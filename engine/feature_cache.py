"""Features of every image, computed once and kept in memory or on disk."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from checkpoints.folder_lock import locked
from config.progress import progress
from datasets import pipeline_options, record_stream
from datasets.dataset import Dataset
from datasets.files import atomic_write
from errors import UserError

_PROGRESS_FILE = "progress.json"
_SECS_BETWEEN_FLUSHES = 10.0

FeatureBatches = Callable[[int], Iterable[tuple[list[np.ndarray], np.ndarray]]]


class FeatureCache:
    """Rows of features and labels, one row an image and view.

    Attributes:
      num_rows: images times views.
    """

    def __init__(
        self,
        folder: str | None,
        *,
        num_rows: int,
        shapes: Sequence[tuple[int, ...]],
        dtype: tf.DType,
    ) -> None:
        """Opens the cache; what an earlier run filled is kept.

        Args:
          folder: of this very cache, named by `key_of`; None keeps it in memory.
          num_rows: images times views.
          shapes: of the features of one image.
          dtype: float32 or bfloat16.

        Raises:
          UserError: the folder cannot be written, or there is no room.
        """
        self.num_rows = num_rows
        self._folder = folder
        self._shapes = list(shapes)
        self._dtype = dtype
        kinds = [(shape, dtype.as_numpy_dtype) for shape in shapes] + [((), np.int32)]
        try:
            if folder:
                os.makedirs(folder, exist_ok=True)
            self._arrays = [
                self._open(number, (num_rows, *shape), kind)
                for number, (shape, kind) in enumerate(kinds)
            ]
        except (OSError, MemoryError) as error:
            size = num_rows * sum(map(np.prod, shapes)) * dtype.size
            raise UserError(
                f"a feature cache of {size / 1e6:.0f} MB cannot be kept in"
                f" {folder or 'memory'} ({error}): use another --feature_cache_dir,"
                " fewer --feature_cache_views, or --feature_cache=off"
            ) from error
        self._num_done = self._read_progress()

    def _open(self, number: int, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        if not self._folder:
            return np.empty(shape, dtype)
        path = os.path.join(self._folder, f"{number}.bin")
        num_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        with open(path, "ab") as file:
            # Takes the room now, so that a full disk is known before the first row.
            os.posix_fallocate(file.fileno(), 0, num_bytes)
        return np.memmap(path, dtype, "r+", shape=shape)

    def _read_progress(self) -> int:
        if not self._folder:
            return 0
        try:
            with open(os.path.join(self._folder, _PROGRESS_FILE), "rb") as file:
                return int(json.load(file)["num_done"])
        except (OSError, ValueError, KeyError):
            return 0

    def fill(self, batches: FeatureBatches, batch_size: int) -> None:
        """Computes the rows that are missing.

        Args:
          batches: called with the first missing row; gives features and labels of it
            and all that follow, by batch.
          batch_size: rows in each, the last one filled up.
        """
        if self._folder:
            with locked(self._folder):
                self._num_done = self._read_progress()
                self._fill(batches, batch_size)
        else:
            self._fill(batches, batch_size)

    def _fill(self, batches: FeatureBatches, batch_size: int) -> None:
        missing = self.num_rows - self._num_done
        if not missing:
            logging.info("feature cache: complete, %d rows", self.num_rows)
            return
        flushed_at = time.monotonic()
        steps = progress(
            batches(self._num_done),
            total=-(-missing // batch_size),
            desc="computing the frozen part",
            unit="step",
        )
        try:
            for features, labels in steps:
                end = self._num_done + len(labels)
                for array, rows in zip(self._arrays, [*features, labels], strict=True):
                    array[self._num_done : end] = rows
                self._num_done = end
                if time.monotonic() - flushed_at >= _SECS_BETWEEN_FLUSHES:
                    self._flush()
                    flushed_at = time.monotonic()
        finally:
            self._flush()

    def _flush(self) -> None:
        if not self._folder:
            return
        for array in self._arrays:
            array.flush()  # type: ignore[attr-defined]
        with atomic_write(os.path.join(self._folder, _PROGRESS_FILE), "w") as file:
            json.dump({"num_done": self._num_done}, file)

    def rows(self, numbers: tf.Tensor) -> tuple[tuple[tf.Tensor, ...], tf.Tensor]:
        """Features and labels of some rows, for `tf.data`.

        Args:
          numbers: `[n]` int64.

        Returns:
          Features `[n, ...]` float32, and labels `[n]` int32.
        """
        types = [self._dtype] * len(self._shapes) + [tf.int32]
        *features, labels = tf.numpy_function(
            lambda chosen: [array[chosen] for array in self._arrays], [numbers], types
        )
        for tensor, shape in zip(features, self._shapes, strict=True):
            tensor.set_shape((numbers.shape[0], *shape))
        labels.set_shape(numbers.shape)
        # A tuple: tf.data takes a list for one tensor.
        return tuple(tf.cast(tensor, tf.float32) for tensor in features), labels


def key_of(parts: Sequence[object], weights: Iterable[np.ndarray]) -> str:
    """The name of a cache: another one for any change of what features depend on.

    Args:
      parts: plain values whose text says what they are.
      weights: of the frozen part.
    """
    digest = hashlib.sha256(repr(list(parts)).encode())
    for array in weights:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:32]


@tf.autograph.experimental.do_not_convert
def train_batches(
    cache: FeatureCache,
    *,
    num_examples: int,
    batch_size: int,
    seed: int,
    start_batch: int = 0,
) -> tf.data.Dataset:
    """Endless batches of features, in the order of `input_pipeline.train_batches`.

    Args:
      cache: a full one.
      num_examples: of the split; the cache holds them once a view.
      batch_size: rows in every batch.
      seed: decides the order.
      start_batch: batches to leave out at the start.

    Returns:
      Elements {"features": tuple of `[batch_size, ...]` float32, "label":
      `[batch_size]` int32}.
    """
    num_views = cache.num_rows // num_examples
    first_epoch, first_place = divmod(start_batch * batch_size, num_examples)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        order = record_stream.epoch_order(num_examples, seed, epoch)
        return tf.data.Dataset.from_tensor_slices(
            epoch % num_views * num_examples + order
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
