"""Imported first by every script: puts its modules first and handles Ctrl-C.

TensorFlow takes seconds to load. Until `config.app.run` takes over, Ctrl-C ends the
script with one word instead of a traceback: nothing has been started by then that would
need cleaning up.
"""

import contextlib
import gc
import os
import signal
import sys
from types import FrameType

_ROOT = os.path.dirname(os.path.abspath(__file__))
_EXIT_INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it


def _end(signal_number: int, frame: FrameType | None) -> None:
    del signal_number, frame
    with contextlib.suppress(OSError):
        os.write(_stderr, b"interrupted\n")
    os._exit(_EXIT_INTERRUPTED)


def _is_script() -> bool:
    """Whether the process was started as one of this project's scripts."""
    main = getattr(sys.modules["__main__"], "__file__", None)
    folder = os.path.dirname(os.path.abspath(main or ""))
    return main is not None and folder in (_ROOT, os.path.join(_ROOT, "convert"))


if _is_script():
    # With `python -m`, a folder or file `config` in the current folder would win.
    sys.path.insert(0, _ROOT)
    # Collections while TensorFlow loads find nothing and take a sixth of the time.
    # `config.app.run` enables them again.
    gc.disable()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # A copy: what TensorFlow writes to stderr while it loads is held back.
        _stderr = -1
        with contextlib.suppress(OSError):  # closed
            _stderr = os.dup(2)
        signal.signal(signal.SIGINT, _end)
