"""TensorFlow without its chatter, some of which reads like errors."""

import logging
import os

from absl import logging as absl_logging

from common import native_log

__all__ = ["tf"]

# Its C++ log is for its developers; it reads this once, as it loads.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# Devices log when they are first listed.
with native_log.held_back():
    import tensorflow as tf

    tf.config.list_physical_devices()

# Its Python log reports collective operations and deprecations, every line twice.
logging.getLogger("tensorflow").setLevel(logging.ERROR)

_TENSORFLOW = os.path.dirname(tf.__file__)


def _is_of_use(record: logging.LogRecord) -> bool:
    of_tensorflow = record.pathname.startswith(_TENSORFLOW)
    return record.levelno > logging.INFO or not of_tensorflow


# During exports, it logs renamed functions and the duration of callbacks through absl.
absl_logging.get_absl_handler().addFilter(_is_of_use)
