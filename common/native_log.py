"""TensorFlow's C++ start-up messages, kept from the user unless something fails.

TensorFlow 2.21 heeds TF_CPP_MIN_LOG_LEVEL only once it is loaded; what it says while
loading (no CUDA driver, oneDNN is on) reads like an error and is none.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from errors import UserError


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Holds back what is written to the process's stderr inside.

    It is shown when an error leaves the block that says too little by itself, and
    dropped otherwise.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except UserError:
            raise
        except BaseException:
            kept.seek(0)
            os.write(stderr, kept.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
