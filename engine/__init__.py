"""Networks on batches: training, evaluation, and what they report."""

import logging
import os

# TensorFlow loads a Keras with itself. With the one that nets/slim.py needs anyway the
# start takes three quarters of the time.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

from absl import logging as absl_logging

from common import native_log

# The engine is what the scripts import first of all that needs TensorFlow.
with native_log.held_back():
    import tensorflow as tf

    tf.config.list_physical_devices()

_TENSORFLOW = os.path.dirname(tf.__file__)


def _is_of_use(record: logging.LogRecord) -> bool:
    of_tensorflow = record.pathname.startswith(_TENSORFLOW)
    return record.levelno > logging.INFO or not of_tensorflow


# Exports have it tell of renamed functions and of the microseconds of callbacks.
absl_logging.get_absl_handler().addFilter(_is_of_use)
# Its Python log tells of collective operations and deprecations, every line twice.
logging.getLogger("tensorflow").setLevel(logging.ERROR)
