"""The numbers of a training run between two log lines."""

import math
import time

import tensorflow as tf
from absl import logging

_SUMMED = ("total_loss", "data_loss", "regularization_loss", "accuracy")


class TrainLog:
    """Adds up what the training function returns, and the time that it took.

    The clock runs while the training function does; the first call, in which
    TensorFlow compiles, is left out of the speed.
    """

    def __init__(self, images_per_step: int) -> None:
        """Nothing logged yet.

        Args:
          images_per_step: over all devices.
        """
        self._images_per_step = images_per_step
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
        """How many steps take about so long: 1 until it is known, 1 at least."""
        if not self._secs_per_step:
            return 1
        return max(1, int(secs / self._secs_per_step))

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
        if self._secs_per_step is None:
            logging.info("first step done, %.1f s with compilation", secs)
            self._secs_per_step = 0.0
            return
        self._timed_steps += steps
        self._timed_secs += secs
        self._input_secs += float(totals["input_secs"].numpy())
        self._secs_per_step = self._timed_secs / self._timed_steps

    def report(self, step: int) -> dict[str, float]:
        """Logs a line in slim's form and starts anew.

        Args:
          step: the global step.

        Returns:
          Means since the last line, by TensorBoard tag.
        """
        means = {name: self._sums[name] / self._steps for name in _SUMMED}
        scalars = {
            "total_loss": means["total_loss"],
            "Losses/clone_loss": means["data_loss"],
            "Losses/regularization_loss": means["regularization_loss"],
            "accuracy": means["accuracy"],
            "learning_rate": self._learning_rate,
        }
        line = "global step {}: loss = {:.4f}".format(step, means["total_loss"])
        if self._timed_secs:
            speed = self._timed_steps / self._timed_secs
            images_speed = speed * self._images_per_step
            waiting = self._input_secs / self._timed_secs
            scalars |= {"global_step/sec": speed, "images/sec": images_speed}
            line += f" ({1 / speed:.3f} sec/step, {images_speed:.1f} images/s"
            if math.isfinite(waiting):  # it is not measured with --deterministic
                scalars["waiting_for_input"] = waiting
                line += f", waiting for input {waiting:.0%}"
            line += ")"
        logging.info(
            "%s, accuracy %.3f, rate %.3g",
            *(line, means["accuracy"], self._learning_rate),
        )
        self._reset()
        return scalars
