"""Training, evaluation, prediction, probing and comparison of networks."""

import os

# TensorFlow imports Keras; with the one that nets/slim.py needs anyway, starting takes
# three quarters of the time.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

# In the scripts, the engine is the first import that needs TensorFlow.
import common.quiet_tensorflow  # noqa: F401
