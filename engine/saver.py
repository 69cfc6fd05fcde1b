"""Saving a run: at intervals, and at its end."""

import time

from absl import logging

from checkpoints.retention import CheckpointFolder
from engine.train_state import TrainState
from errors import NotFiniteError


class Saver:
    """Writes checkpoints of a run."""

    def __init__(
        self, folder: CheckpointFolder, state: TrainState, interval_secs: int
    ) -> None:
        """Saves first after an interval.

        Args:
          folder: where to.
          state: what.
          interval_secs: seconds between two.
        """
        self._folder = folder
        self._state = state
        self._interval_secs = interval_secs
        self._saved_at = time.monotonic()
        self._saved_step: int | None = None

    def save_if_due(self, step: int) -> None:
        """Saves when the interval is over."""
        if time.monotonic() - self._saved_at >= self._interval_secs:
            self.save(step)

    def save(self, step: int) -> None:
        """Saves, unless this step is saved already.

        Raises:
          NotFiniteError: a variable is not finite; nothing is written.
          UserError: the folder cannot be written.
        """
        if step != self._saved_step:
            try:
                arrays = self._state.arrays()
            except NotFiniteError as error:
                raise NotFiniteError(f"{error}; {self.last_saved()}") from error
            path = self._folder.save(step, arrays)
            logging.info("saved %s", path)
            self._saved_step = step
        self._saved_at = time.monotonic()

    def last_saved(self) -> str:
        """What to go on from, for messages."""
        latest = self._folder.latest()
        if latest is None:
            return "nothing was saved before it"
        return f"the last good checkpoint is {latest}"
