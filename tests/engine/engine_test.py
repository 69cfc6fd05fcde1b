"""On its import the package silences TensorFlow's own chatter, and nothing else."""

import logging
import os

import tensorflow as tf
from absl import logging as absl_logging

import engine

TENSORFLOW = os.path.dirname(tf.__file__)


def is_logged(level: int, path: str, name: str = "absl") -> bool:
    record = logging.LogRecord(name, level, path, 1, "message", None, None)
    logger = logging.getLogger(name)
    handler = absl_logging.get_absl_handler()
    return logger.isEnabledFor(level) and bool(handler.filter(record))


def test_chatter_is_left_out_and_warnings_and_our_own_lines_are_not():
    level = absl_logging.get_verbosity()
    absl_logging.set_verbosity(absl_logging.INFO)
    try:
        theirs = os.path.join(TENSORFLOW, "lite", "python", "util.py")
        assert not is_logged(logging.INFO, theirs)
        assert is_logged(logging.WARNING, theirs)
        assert is_logged(logging.INFO, engine.__file__)
        assert not is_logged(logging.WARNING, theirs, "tensorflow")
        assert is_logged(logging.ERROR, theirs, "tensorflow")
    finally:
        absl_logging.set_verbosity(level)
