"""Networks on batches: training, evaluation, and what they report."""

from config import native_log

# The engine is what the scripts import first of all that needs TensorFlow.
with native_log.held_back():
    import tensorflow as tf

    tf.config.list_physical_devices()
