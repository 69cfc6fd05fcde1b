"""The options of every tf.data pipeline here."""

import tensorflow as tf


def apply(elements: tf.data.Dataset) -> tf.data.Dataset:
    """The same elements in a deterministic order; iterators close at once.

    TensorFlow's autotuner wakes up at ever longer intervals, up to a minute. About one
    in ten iterators (TensorFlow 2.21) fails to wake it when closed, and waits for it.
    Without the autotuner, prefetching still adapts to its consumer, and
    `tf.data.AUTOTUNE` is the number of processors.
    """
    options = tf.data.Options()
    options.deterministic = True
    options.autotune.enabled = False
    return elements.with_options(options)
