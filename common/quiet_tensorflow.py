"""TensorFlow, imported without its start-up messages, which read like errors."""

import logging

from common import native_log

__all__ = ["tf"]

# Devices log when they are first listed.
with native_log.held_back():
    import tensorflow as tf

    tf.config.list_physical_devices()

# Its Python log reports collective operations and deprecations, every line twice.
logging.getLogger("tensorflow").setLevel(logging.ERROR)
