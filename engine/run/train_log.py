"""The figures of a training run: a live line, log lines, scalars for TensorBoard."""

import math
import time

import tensorflow as tf
from absl import logging

from common import terminal
from common.progress import clock
from common.throttle import Throttle

_SUMMED = ("total_loss", "loss", "regularization_loss", "accuracy")


class TrainLog:
    """Adds up what the training function returns, and the time it takes.

    Only the time in the training function counts, and not its first call, in which
    TensorFlow compiles. On a terminal, a live line shows how far the run is; it is
    redrawn after every call.
    """

    def __init__(
        self,
        images_per_step: int,
        *,
        step: int = 0,
        last_step: int | None = None,
        secs_between_lines: float = 0.0,
    ) -> None:
        """Starts with nothing to report.

        Args:
          images_per_step: images per step, over all devices.
          step: the step that the run resumes from.
          last_step: the run's last step, which is always logged; None if it has none.
          secs_between_lines: a report that comes sooner after a line is not logged.
        """
        self._images_per_step = images_per_step
        self._step = step
        self._last_step = last_step
        self._throttle = Throttle(secs_between_lines)
        self._secs_per_step: float | None = None
        self._reset()

    def _reset(self) -> None:
        self._sums = dict.fromkeys(_SUMMED, 0.0)
        self._steps = 0
        self._timed_steps = 0
        self._timed_secs = 0.0
        self._input_secs = 0.0
        self._learning_rate = 0.0

    def steps_in(self, secs: float) -> int:
        """Number of steps that take about this long, at least 1; 1 until known."""
        if not self._secs_per_step:
            return 1
        return max(1, int(secs / self._secs_per_step))

    def show_start(self) -> None:
        """Shows on a terminal why nothing happens yet."""
        terminal.show_live("compiling the first step …")

    def add(self, totals: dict[str, tf.Tensor], started_at: float) -> None:
        """Adds one call of the training function.

        Args:
          totals: what it returned.
          started_at: `time.monotonic()` before the call.
        """
        secs = time.monotonic() - started_at
        steps = int(totals["steps"].numpy())
        for name in _SUMMED:
            self._sums[name] += float(totals[name].numpy())
        self._learning_rate = float(totals["learning_rate"].numpy())
        self._steps += steps
        self._step += steps
        if self._secs_per_step is None:
            logging.info("first step done, %.1f s with compilation", secs)
            self._secs_per_step = 0.0
            return
        self._timed_steps += steps
        self._timed_secs += secs
        self._input_secs += float(totals["input_secs"].numpy())
        self._secs_per_step = self._timed_secs / self._timed_steps
        terminal.show_live(self._live_line())

    def _live_line(self) -> str:
        """How far the run is, and the means since the last report."""
        secs_per_step = self._secs_per_step or math.inf
        of_last = f" of {self._last_step:,}" if self._last_step else ""
        parts = [
            f"step {self._step:,}{of_last}",
            f"loss {self._sums['loss'] / self._steps:.4f}",
            f"accuracy {self._sums['accuracy'] / self._steps:.3f}",
            f"{self._images_per_step / secs_per_step:,.1f} images/s",
        ]
        if self._last_step:
            left = (self._last_step - self._step) * secs_per_step
            parts.append(f"{clock(left)} left")
        return "  ".join(parts)

    def report(self, step: int) -> dict[str, float]:
        """Logs a line in slim's form, where one is due, and starts over.

        Args:
          step: the global step.

        Returns:
          Means since the last report, by name.
        """
        means = {name: self._sums[name] / self._steps for name in _SUMMED}
        scalars = means | {"learning_rate": self._learning_rate}
        line = f"global step {step}: total loss = {means['total_loss']:.4f}"
        if self._timed_secs:
            speed = self._timed_steps / self._timed_secs
            images_speed = speed * self._images_per_step
            waiting = self._input_secs / self._timed_secs
            scalars |= {"global_step/sec": speed, "images/sec": images_speed}
            line += f" ({1 / speed:.3f} sec/step, {images_speed:.1f} images/s"
            if math.isfinite(waiting):  # not measured with --deterministic
                scalars["waiting_for_input"] = waiting
                line += f", waiting for input {waiting:.0%}"
            line += ")"
        if self._throttle.is_due() or step == self._last_step:
            logging.info(
                "%s, loss %.4f, accuracy %.3f, rate %.3g",
                *(line, means["loss"], means["accuracy"], self._learning_rate),
            )
        self._reset()
        return scalars
