"""What ends a run at the next step, not in the middle of one: signals, a time limit.

TensorFlow's PreemptionCheckpointHandler is for several workers that must agree on a
step, and saves object-based checkpoints, which slim's tools cannot read; on one machine
a signal's number is enough.
"""

import contextlib
import math
import signal
import time
from collections.abc import Iterator
from types import FrameType

from absl import logging

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


# The code of <sysexits.h> for "try again later".
EXIT_TIME_LIMIT = 75


class Interruption:
    """Whether a signal or the time limit asks the run to end.

    Attributes:
      signal_number: which signal came; None when none did.
    """

    def __init__(self, max_secs: float | None = None) -> None:
        """Nothing asks yet.

        Args:
          max_secs: the time limit from now on; None for none.
        """
        self.signal_number: int | None = None
        self._ends_at = time.monotonic() + (math.inf if max_secs is None else max_secs)

    @property
    def exit_status(self) -> int:
        """128 + the signal's number, as a shell reports it; 75 for the time limit."""
        if self.signal_number:
            return 128 + self.signal_number
        return EXIT_TIME_LIMIT if self else 0

    def __bool__(self) -> bool:
        return self.signal_number is not None or time.monotonic() >= self._ends_at

    def _note(self, signal_number: int, frame: FrameType | None) -> None:
        del frame
        self.signal_number = signal_number
        name = signal.Signals(signal_number).name
        logging.warning(
            "%s: stopping after this step; a second one stops at once", name
        )
        for number in _NUMBERS:  # a second one, of either kind, ends the run at once
            signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def interruption(watch: Interruption | None = None) -> Iterator[Interruption]:
    """Watches for SIGINT and SIGTERM inside.

    Args:
      watch: takes note of them, with a time limit that is running; by default a new
        one, without a limit.
    """
    watch = Interruption() if watch is None else watch
    before = {number: signal.signal(number, watch._note) for number in _NUMBERS}
    try:
        yield watch
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
