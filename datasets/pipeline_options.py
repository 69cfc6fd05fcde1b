"""What every pipeline that is walked through asks of tf.data."""

import tensorflow as tf


def apply(elements: tf.data.Dataset) -> tf.data.Dataset:
    """The same elements, always in the same order, from an iterator that ends at once.

    TensorFlow's autotuner wakes up to tune at ever longer intervals, of a minute at
    last. About one iterator in ten that is let go (TensorFlow 2.21) fails to wake it,
    and waits until it does so by itself. Without it, prefetching still adapts to its
    consumer, and `tf.data.AUTOTUNE` calls of a map are as many as there are processors.
    """
    options = tf.data.Options()
    options.deterministic = True
    options.autotune.enabled = False
    return elements.with_options(options)
