"""Signals as exceptions, which are raised where they do no harm.

Python calls a signal's handler between any two instructions, also in Python code that
TensorFlow's C++ code calls where it expects no exception: one that is raised there ends
in a segmentation fault or a `SystemError`. Those that finalizers raise, Python drops.
"""

import contextlib
import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_SECS_BETWEEN_TRIES = 0.005
_MOST_SECS = 0.3  # to wait for code of this project: a library may compute for minutes
# Where TensorFlow 2.21 is known to crash.
_NEVER_IN = frozenset({"convert_to_eager_tensor"})


def raise_on(number: signal.Signals, error: Callable[[], BaseException]) -> None:
    """Makes a signal raise an exception in the main thread, soon after it arrives.

    Args:
      number: the signal.
      error: makes the exception.
    """
    signal.signal(number, _Raiser(error))


def exit_on_sigterm() -> None:
    """Makes SIGTERM raise SystemExit, so that what is not finished is removed."""
    raise_on(signal.SIGTERM, functools.partial(SystemExit, 128 + signal.SIGTERM))


class _Raiser:
    """A signal handler that raises, or else sends the signal again."""

    def __init__(self, error: Callable[[], BaseException]) -> None:
        self._error = error
        self._came_at: float | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._came_at is None:
            self._came_at = now
        if not _is_harmless(frame, in_libraries=now - self._came_at > _MOST_SECS):
            send_again(number)
            return
        self._came_at = None
        raise self._error()


def _is_harmless(frame: FrameType | None, *, in_libraries: bool) -> bool:
    """Whether an exception may be raised in a frame.

    Args:
      frame: the innermost one.
      in_libraries: also in code of others.
    """
    if frame and not in_libraries and not _is_own(frame):
        return False
    while frame:
        if frame.f_code.co_name in _NEVER_IN:
            return False
        frame = frame.f_back
    return True


def _is_own(frame: FrameType) -> bool:
    path = frame.f_code.co_filename
    is_ours = path.startswith(_ROOT) and "site-packages" not in path
    return is_ours or frame.f_globals.get("__name__") == "__main__"


def send_again(number: int) -> None:
    """Sends this process a signal in a moment."""
    again = threading.Timer(_SECS_BETWEEN_TRIES, os.kill, (os.getpid(), number))
    again.daemon = True
    with contextlib.suppress(RuntimeError):  # no thread can start: it is ending anyway
        again.start()


def insist(dropped: "sys.UnraisableHookArgs") -> None:
    """Sends a signal again whose exception Python dropped: for `sys.unraisablehook`.

    Otherwise a run that was asked to stop would continue.
    """
    of_signals = {KeyboardInterrupt: signal.SIGINT, SystemExit: signal.SIGTERM}
    number = of_signals.get(dropped.exc_type)
    if number is None:
        sys.__unraisablehook__(dropped)
    else:
        send_again(number)
