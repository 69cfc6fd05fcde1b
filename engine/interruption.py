"""Signals and a time limit, which end a run after the steps of its current call.

TensorFlow's PreemptionCheckpointHandler saves object-based checkpoints, which slim's
tools cannot read, and knows neither Ctrl-C nor a time limit. Several machines agree on
the step in `engine.cluster.agreement`.
"""

import contextlib
import math
import signal
import time
from collections.abc import Iterator
from types import FrameType

from absl import logging

EXIT_TIME_LIMIT = 75  # <sysexits.h>: try again later
_NUMBERS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether a signal or the time limit asks the run to end.

    Attributes:
      signal_number: the signal that was received; None if none was.
    """

    def __init__(self, max_secs: float | None = None) -> None:
        """Starts the time limit.

        Args:
          max_secs: seconds from now; None for no limit.
        """
        self.signal_number: int | None = None
        self._ends_at = time.monotonic() + (math.inf if max_secs is None else max_secs)

    @property
    def exit_status(self) -> int:
        """128 + the signal's number, as a shell reports it; 75 for the time limit."""
        if self.signal_number:
            return 128 + self.signal_number
        return EXIT_TIME_LIMIT if self else 0

    def follow(self, status: int, who: str) -> None:
        """Ends as another machine of the run does.

        Args:
          status: its exit status.
          who: that machine, for the log.
        """
        if status == EXIT_TIME_LIMIT:
            self._ends_at, reason = time.monotonic(), "the time limit"
        else:
            self.signal_number = status - 128
            reason = signal.Signals(self.signal_number).name
        logging.warning("%s on %s: ending after the current steps", reason, who)

    def __bool__(self) -> bool:
        return self.signal_number is not None or time.monotonic() >= self._ends_at

    def _note(self, signal_number: int, frame: FrameType | None) -> None:
        del frame
        self.signal_number = signal_number
        name = signal.Signals(signal_number).name
        logging.warning(
            "%s: stopping after the current steps; a second one stops at once", name
        )
        for number in _NUMBERS:  # a second signal, of either kind, ends it at once
            signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def interruption(watch: Interruption | None = None) -> Iterator[Interruption]:
    """Watches for SIGINT and SIGTERM during the block.

    Args:
      watch: records them, with a running time limit; by default a new one without a
        limit.
    """
    watch = Interruption() if watch is None else watch
    before = {number: signal.signal(number, watch._note) for number in _NUMBERS}
    try:
        yield watch
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
