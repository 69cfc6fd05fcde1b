"""Loads TensorFlow in the process of which workers are copies.

Python's garbage collector pauses meanwhile, which takes a fifth less time, and leaves
what was loaded alone, so that the copies go on sharing it.
"""

import gc

gc.disable()
import tensorflow  # noqa: E402, F401

gc.freeze()
gc.enable()
