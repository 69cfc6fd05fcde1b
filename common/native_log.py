"""TensorFlow's C++ start-up messages, held back unless something fails.

TensorFlow 2.21 heeds TF_CPP_MIN_LOG_LEVEL only once it is loaded; its messages while
loading (no CUDA driver, oneDNN is on) read like errors, but are not.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from errors import UserError


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Holds back what the block writes to the process's stderr.

    It is dropped unless an error other than a `UserError` leaves the block; then it is
    shown, as it may explain the error.
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
