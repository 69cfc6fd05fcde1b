"""Saving a run's checkpoints: at intervals, and at the end."""

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from absl import logging

from checkpoints.checkpoint_folder import CheckpointFolder
from checkpoints.folder_lock import require_held
from engine.run.background import BackgroundWriter
from engine.step.train_state import TrainState
from errors import NotFiniteError


class Saver:
    """Writes checkpoints of a run."""

    def __init__(
        self,
        folder: CheckpointFolder,
        state: TrainState,
        interval_secs: int,
        writer: BackgroundWriter,
        statistics: Callable[[], Mapping[str, np.ndarray]] = dict,
        *,
        writes: bool = True,
    ) -> None:
        """Starts the first interval.

        Args:
          folder: where checkpoints are written.
          state: what they hold.
          interval_secs: seconds between two checkpoints.
          writer: the thread that writes them.
          statistics: recomputes batch-norm statistics, as `TrainState.arrays` takes
            them.
          writes: False where another machine does; all else stays the same.
        """
        self._writes = writes
        self._writer = writer
        self._statistics = statistics
        self._folder = folder
        self._state = state
        self._interval_secs = interval_secs
        self._saved_at = time.monotonic()
        self._saved_step: int | None = None

    @property
    def is_due(self) -> bool:
        """Whether the interval is over.

        Raises:
          UserError: an earlier file could not be written.
        """
        self._writer.check()
        return time.monotonic() - self._saved_at >= self._interval_secs

    def save(self, step: int, *, recompute_statistics: bool = True) -> None:
        """Starts saving the current values, unless this step is saved already.

        Args:
          step: the current step.
          recompute_statistics: recomputes batch-norm statistics that lag; False saves
            them as they are, which takes no time.

        Raises:
          NotFiniteError: a variable is not finite; nothing is written.
          UserError: an earlier file could not be written, or another run writes to the
            folder.
        """
        if step != self._saved_step:
            with self.naming_last_saved():
                arrays = self._state.arrays(
                    self._statistics() if recompute_statistics and self._writes else {}
                )
            if self._writes:
                require_held(self._folder.path)
                self._writer.submit(functools.partial(self._write, step, arrays))
            self._saved_step = step
        self._saved_at = time.monotonic()

    def _write(self, step: int, arrays: Mapping[str, np.ndarray]) -> None:
        logging.info("saved %s", self._folder.save(step, arrays))

    @contextlib.contextmanager
    def naming_last_saved(self) -> Iterator[None]:
        """Adds the last saved checkpoint to the message of a `NotFiniteError`."""
        try:
            yield
        except NotFiniteError as error:
            raise NotFiniteError(f"{error}; {self.last_saved()}") from error

    def last_saved(self) -> str:
        """Names the last checkpoint, for messages; waits until it is written."""
        self._writer.wait()
        latest = self._folder.latest()
        if latest is None:
            return "nothing was saved before it"
        return f"the last good checkpoint is {latest}"
