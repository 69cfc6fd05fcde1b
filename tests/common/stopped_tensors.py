"""Makes tensors for five seconds, and is stopped whenever it may be.

python tests/common/stopped_tensors.py

With handlers that raise anywhere, TensorFlow crashes within these seconds.
"""

import contextlib
import pathlib
import random
import signal
import sys
import time

import tensorflow as tf

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))
from common import signal_errors

_SECS = 5


def main() -> None:
    """Prints how often it was stopped."""
    signal_errors.raise_on(signal.SIGALRM, KeyboardInterrupt)
    ends_at = time.monotonic() + _SECS
    stops = 0
    while time.monotonic() < ends_at:
        with contextlib.suppress(KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 2e-3))
            while True:
                tf.zeros(tf.TensorShape([7, 5]))
        stops += 1
    print(stops)


if __name__ == "__main__":
    main()
