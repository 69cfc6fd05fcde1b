"""Signals as exceptions, which are raised where they do no harm.

Python calls a signal's handler between any two instructions, also in Python code that
TensorFlow's C++ code calls where it expects no exception: one that is raised there ends
in a segmentation fault or a `SystemError`. In a finalizer, Python drops it.
"""

import contextlib
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_MOST_SECS = 0.3  # to wait for code of this project: a library may compute for minutes
_SECS_TO_INSIST = 0.01  # by then a finalizer or a conversion has returned
# Where TensorFlow 2.21 is known to crash: functions and files.
_NEVER_IN = "convert_to_eager_tensor"
_NEVER_IN_FILE = os.path.join("tensorflow", "python", "framework", "tensor_shape.py")


def raise_on(number: signal.Signals, error: Callable[[], BaseException]) -> None:
    """Makes a signal raise an exception in the main thread, soon after it arrives.

    It is raised when code of this project continues, or, where that takes longer than
    a moment or the signal comes a second time, in a library that runs Python code.

    Args:
      number: the signal.
      error: makes the exception.
    """
    signal.signal(number, _Raiser(error))


def exit_on_sigterm() -> None:
    """Makes SIGTERM raise SystemExit, so that what is not finished is removed."""
    raise_on(signal.SIGTERM, functools.partial(SystemExit, 128 + signal.SIGTERM))


class _Raiser:
    """A signal handler that raises, at once or when an outer frame continues."""

    def __init__(self, error: Callable[[], BaseException]) -> None:
        self._error = error
        self._reminder: threading.Timer | None = None  # while the exception is pending

    def __call__(self, number: int, frame: FrameType | None) -> None:
        is_harmless, own = _examine(frame)
        if own is frame or (self._reminder and is_harmless):
            self._raise()
        elif self._reminder:
            self._remind(number, _SECS_TO_INSIST)
        else:
            self._remind(number, _MOST_SECS)
            if own:
                # As debuggers do: events of a frame come only with a global function.
                own.f_trace = self._when_it_continues
                own.f_trace_opcodes = True
                sys.settrace(lambda *_: None)

    def _when_it_continues(self, frame: FrameType, *_: Any) -> None:
        frame.f_trace = None
        self._raise()

    def _remind(self, number: int, secs: float) -> None:
        self._reminder = _send_in(secs, number)

    def _raise(self) -> None:
        if self._reminder:
            self._reminder.cancel()
            self._reminder = None
            sys.settrace(None)
        raise self._error()


def _examine(frame: FrameType | None) -> tuple[bool, FrameType | None]:
    """Where an exception may be raised.

    Args:
      frame: the innermost frame.

    Returns:
      Whether it does no harm there, and the innermost frame of this project's code in
      which it does none either.
    """
    is_harmless, own = True, None
    while frame:
        if _is_fatal(frame):
            is_harmless, own = False, None
        elif _is_own(frame):
            own = own or frame
        frame = frame.f_back
    return is_harmless, own


def _is_fatal(frame: FrameType) -> bool:
    code = frame.f_code
    return code.co_name == _NEVER_IN or code.co_filename.endswith(_NEVER_IN_FILE)


def _is_own(frame: FrameType) -> bool:
    path = frame.f_code.co_filename
    is_ours = path.startswith(_ROOT) and "site-packages" not in path
    return is_ours or frame.f_globals.get("__name__") == "__main__"


def _send_in(secs: float, number: int) -> threading.Timer:
    """Sends this process a signal after some seconds, unless that is canceled."""
    timer = threading.Timer(secs, os.kill, (os.getpid(), number))
    timer.daemon = True
    with contextlib.suppress(RuntimeError):  # no thread can start
        timer.start()
    return timer


def insist(dropped: "sys.UnraisableHookArgs") -> None:
    """Sends a signal again whose exception Python dropped: for `sys.unraisablehook`.

    Otherwise a run that was asked to stop would continue.
    """
    of_signals = {KeyboardInterrupt: signal.SIGINT, SystemExit: signal.SIGTERM}
    number = of_signals.get(dropped.exc_type)
    if number is None:
        sys.__unraisablehook__(dropped)
    else:
        _send_in(_SECS_TO_INSIST, number)
