"""How often something is said."""

import math
import time


class Throttle:
    """Whether a line is due: so many seconds after the last one that was."""

    def __init__(self, secs: float) -> None:
        """Starts with a line that is due.

        Args:
          secs: between two lines; 0 for every line, infinity for the first alone.
        """
        self._secs = secs
        self._line_at = -math.inf

    def is_due(self) -> bool:
        """Whether a line is due now; if so, it counts as said."""
        now = time.monotonic()
        if now - self._line_at < self._secs:
            return False
        self._line_at = now
        return True
