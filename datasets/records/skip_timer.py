"""Logs how long a resumed epoch took to skip the images it has already used."""

import time
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

_SECS_TO_TELL = 5.0  # shorter waits need no explanation


class SkipTimer:
    """Measures the time from the start of a resumed epoch to its first batch."""

    def __init__(self, num_skipped: int) -> None:
        """Starts nothing yet.

        Args:
          num_skipped: number of records to skip; with 0 nothing is measured or logged.
        """
        self._num_skipped = num_skipped
        self._started_at = 0.0

    def start(self, epochs: tf.data.Dataset) -> tf.data.Dataset:
        """The same epochs; the clock starts when the first is requested."""
        return self._at_first(epochs, self._start)

    def stop(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """The same batches; if the first took long, the reason is logged."""
        return self._at_first(batches, self._stop)

    def _start(self, place: np.int64) -> np.int64:
        self._started_at = time.monotonic()
        return place

    def _stop(self, place: np.int64) -> np.int64:
        secs = time.monotonic() - self._started_at
        if secs >= _SECS_TO_TELL:
            logging.info(
                "skipping the %d images that this epoch has already used took %.0f s",
                *(self._num_skipped, secs),
            )
        return place

    def _at_first(self, dataset: tf.data.Dataset, note: Any) -> tf.data.Dataset:
        """The same elements; `note` is called when the first arrives."""
        if not self._num_skipped:
            return dataset

        def watch(place: tf.Tensor, element: Any) -> Any:
            noted = tf.cond(
                tf.equal(place, 0),
                lambda: tf.numpy_function(note, [place], tf.int64),
                lambda: place,
            )
            with tf.control_dependencies([noted]):
                return tf.nest.map_structure(tf.identity, element)

        return dataset.enumerate().map(watch)
