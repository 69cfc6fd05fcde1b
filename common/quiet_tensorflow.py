"""TensorFlow, loaded without what it says on the way, which reads like an error."""

import logging

from common import native_log

__all__ = ["tf"]

# Devices speak up when they are first asked for.
with native_log.held_back():
    import tensorflow as tf

    tf.config.list_physical_devices()

# Its Python log tells of deprecations, every line twice.
logging.getLogger("tensorflow").setLevel(logging.ERROR)
