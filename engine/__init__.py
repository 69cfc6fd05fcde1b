"""Networks on batches: training, evaluation, and what they report."""

import logging
import os

# TensorFlow imports Keras; with the one that nets/slim.py needs anyway, starting takes
# three quarters of the time.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

from absl import logging as absl_logging

# The engine is the first thing that the scripts import that needs TensorFlow.
from common.quiet_tensorflow import tf

_TENSORFLOW = os.path.dirname(tf.__file__)


def _is_of_use(record: logging.LogRecord) -> bool:
    of_tensorflow = record.pathname.startswith(_TENSORFLOW)
    return record.levelno > logging.INFO or not of_tensorflow


# During exports it logs renamed functions and the microseconds that callbacks took.
absl_logging.get_absl_handler().addFilter(_is_of_use)
