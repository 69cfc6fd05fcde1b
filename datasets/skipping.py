"""Leaves out what a resumed epoch has had already, and says how long that took."""

import time
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging


def skip(records: tf.data.Dataset, count: int) -> tf.data.Dataset:
    """The elements after the first `count`.

    When the first of them is there, the log says how long leaving out took.
    """
    if not count:
        return records
    started_at = [0.0]

    def note(place: np.int64) -> np.int64:
        if place == 0:
            started_at[0] = time.monotonic()
        else:
            logging.info(
                "going on within an epoch: %d records skipped, not decoded, in %.2f s",
                *(count, time.monotonic() - started_at[0]),
            )
        return place

    def watch(place: tf.Tensor, element: Any) -> Any:
        # Python is called twice, not for each record, which would take longer.
        noted = tf.cond(
            tf.logical_or(tf.equal(place, 0), tf.equal(place, count)),
            lambda: tf.numpy_function(note, [place], tf.int64),
            lambda: place,
        )
        with tf.control_dependencies([noted]):
            return tf.nest.map_structure(tf.identity, element)

    return records.enumerate().map(watch).skip(count)
