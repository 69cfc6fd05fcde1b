"""Features of every image, computed once and kept in memory or on disk."""

import hashlib
import math
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from checkpoints.folder_lock import locked
from common import storage
from common.progress import progress
from engine.feature_cache import feature_files, free_memory
from engine.feature_cache.feature_files import FeatureFiles
from errors import UserError

_SECS_BETWEEN_FLUSHES = 10.0

# Features of a batch, [rows, ...] each, and its labels, [rows] int32.
LabeledFeatures = tuple[list[np.ndarray], np.ndarray]
FeatureBatches = Callable[[int], Iterable[LabeledFeatures]]  # from a row on


def folder_of_all(given: str | None, dataset_dir: str | None) -> str:
    """The folder of all feature caches of a data set.

    Args:
      given: `--feature_cache_dir`, if any.
      dataset_dir: the data set's folder, which holds them by default.

    Raises:
      UserError: it is in object storage, whose files cannot be mapped into memory.
    """
    folder = given or os.path.join(dataset_dir or "", "feature_cache")
    storage.require_local(
        folder, flag="feature_cache_dir", instead="name a folder of a local disk"
    )
    return folder


class FeatureCache:
    """Rows of features and labels, one row per image and view.

    Attributes:
      num_rows: images times views.
      kinds: shape and type of each array of features, and of the labels.
      folder: the folder of this cache alone; None keeps it in memory.
    """

    def __init__(
        self,
        folder: str | None,
        *,
        num_rows: int,
        shapes: Sequence[tuple[int, ...]],
        dtype: tf.DType,
    ) -> None:
        """Checks that there is room; `fill` opens what an earlier run has filled.

        Args:
          folder: used by this cache only, named by `key_of`; None for memory.
          num_rows: images times views.
          shapes: shapes of the features of one image.
          dtype: float32 or bfloat16.

        Raises:
          UserError: the folder cannot be written, or there is no room.
        """
        self.num_rows = num_rows
        self.folder = folder
        self._shapes = list(shapes)
        self._dtype = dtype
        self.kinds: list[feature_files.Kind] = [
            *(((num_rows, *shape), dtype.as_numpy_dtype) for shape in shapes),
            ((num_rows,), np.int32),
        ]
        self._arrays: Sequence[np.ndarray] = ()
        self._check_room()

    def _check_room(self) -> None:
        """Refuses a cache for which memory or disk has no room."""
        try:
            if self.folder:
                os.makedirs(self.folder, exist_ok=True)
                there = feature_files.bytes_in(self.folder)
                free = shutil.disk_usage(self.folder).free + there
            else:
                free = free_memory.available_bytes()
        except OSError as error:
            raise self._no_room(str(error)) from error
        if self._num_bytes > free:
            raise self._no_room(f"{free / 1e6:,.0f} MB are free")

    @property
    def _num_bytes(self) -> int:
        kinds = self.kinds
        return sum(
            math.prod(shape) * np.dtype(dtype).itemsize for shape, dtype in kinds
        )

    def _no_room(self, reason: str) -> UserError:
        instead = (
            "another --feature_cache_dir" if self.folder else "--feature_cache=disk"
        )
        return UserError(
            f"a feature cache of {self._num_bytes / 1e6:,.0f} MB cannot be kept in"
            f" {self.folder or 'memory'} ({reason}): use {instead}, fewer"
            " --feature_cache_views, --feature_cache_dtype=bfloat16 or"
            " --feature_cache=off"
        )

    def fill(self, batches: FeatureBatches, batch_size: int) -> None:
        """Computes the rows that are missing.

        Args:
          batches: called with the first missing row; yields the features and labels
            of it and all that follow, by batch.
          batch_size: rows per batch; the last may have fewer.

        Raises:
          UserError: another process fills the same folder, or there is no room.
        """
        if not self.folder:
            self._fill_memory(batches, batch_size)
            return
        with locked(self.folder, busy=self._busy):
            try:
                files = FeatureFiles(self.folder, self.kinds)
            except OSError as error:
                raise self._no_room(str(error)) from error
            self._fill_files(files, batches, batch_size)

    def _busy(self, holder: str) -> str:
        """The message for a second run while another one fills the folder."""
        done = feature_files.rows_done(self.folder or "")
        so_far = "" if done is None else f" ({done:,} of {self.num_rows:,} rows so far)"
        return (
            f"the feature cache {self.folder} is being filled by {holder}{so_far}:"
            " start this run when it is complete, so that both can use it, or give it"
            " another --feature_cache_dir"
        )

    def _fill_memory(self, batches: FeatureBatches, batch_size: int) -> None:
        try:
            self._arrays = [np.empty(*kind) for kind in self.kinds]
        except MemoryError as error:
            raise self._no_room(str(error)) from error
        end = 0
        for parts in self._shown(batches(0), 0, batch_size):
            start, end = end, end + len(parts[-1])
            for array, rows in zip(self._arrays, parts, strict=True):
                array[start:end] = rows

    def _fill_files(
        self, files: FeatureFiles, batches: FeatureBatches, batch_size: int
    ) -> None:
        self._arrays = files.arrays
        if files.num_done == self.num_rows:
            logging.info("feature cache: complete, %d rows", self.num_rows)
            return
        flushed_at = time.monotonic()
        try:
            for parts in self._shown(
                batches(files.num_done), files.num_done, batch_size
            ):
                files.append(parts)
                if time.monotonic() - flushed_at >= _SECS_BETWEEN_FLUSHES:
                    files.flush()
                    flushed_at = time.monotonic()
        finally:
            files.flush()

    def _shown(
        self,
        batches: Iterable[tuple[list[np.ndarray], np.ndarray]],
        num_done: int,
        batch_size: int,
    ) -> Iterator[list[np.ndarray]]:
        """The batches, each a list of arrays, labels last, with a progress display."""
        for features, labels in progress(
            batches,
            total=-(-(self.num_rows - num_done) // batch_size),
            desc="computing the frozen part",
            unit="step",
        ):
            yield [*features, labels]

    def arrays(self) -> list[np.ndarray]:
        """All features, `[num_rows, ...]` each, then the labels, `[num_rows]`."""
        return list(self._arrays)

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
        # A tuple: tf.data would stack a list into one tensor.
        return tuple(tf.cast(tensor, tf.float32) for tensor in features), labels


def key_of(parts: Sequence[object], weights: Iterable[np.ndarray]) -> str:
    """The name of a cache, a digest of everything that the features depend on.

    Args:
      parts: plain values, compared as text.
      weights: the weights of the frozen part.
    """
    digest = hashlib.sha256(repr(list(parts)).encode())
    for array in weights:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:32]
