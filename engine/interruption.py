"""SIGINT and SIGTERM end a run at the next step, not in the middle of one."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from absl import logging

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether a signal asked the run to end.

    Attributes:
      signal_number: which signal came; None when none did.
    """

    def __init__(self) -> None:
        """No signal yet."""
        self.signal_number: int | None = None

    @property
    def exit_status(self) -> int:
        """128 + the signal's number, as a shell reports it; 0 without a signal."""
        return 128 + self.signal_number if self.signal_number else 0

    def __bool__(self) -> bool:
        return self.signal_number is not None

    def _note(self, signal_number: int, frame: FrameType | None) -> None:
        del frame
        self.signal_number = signal_number
        name = signal.Signals(signal_number).name
        logging.warning("%s: finishing the step, then saving", name)
        for number in _NUMBERS:  # a second one, of either kind, ends the run at once
            signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def interruption() -> Iterator[Interruption]:
    """Watches for SIGINT and SIGTERM inside."""
    watch = Interruption()
    before = {number: signal.signal(number, watch._note) for number in _NUMBERS}
    try:
        yield watch
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
