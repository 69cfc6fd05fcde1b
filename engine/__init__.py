"""Networks on batches: training, evaluation, and what they report."""

import logging

from config import native_log

# The engine is what the scripts import first of all that needs TensorFlow.
with native_log.held_back():
    import tensorflow as tf

    tf.config.list_physical_devices()

# Its Python log tells of collective operations and deprecations, every line twice.
logging.getLogger("tensorflow").setLevel(logging.ERROR)
