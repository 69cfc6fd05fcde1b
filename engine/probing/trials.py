"""Trials: the accuracy that a few seconds of training after each depth reach.

A probe cannot see what training more blocks gains. Successive halving (Jamieson &
Talwalkar 2016, Non-stochastic Best Arm Identification and Hyperparameter Optimization,
algorithm 1) finds the best of several runs: every round divides its time among the runs
that are left, and the better half of them continues.
"""

import contextlib
import dataclasses
import math
import os
import time
from collections.abc import Mapping, Sequence

import tensorflow as tf
from absl import logging

from config.train_config import TrainConfig
from engine import train_loop
from engine.interruption import Interruption
from engine.probing.depths import Depth
from engine.probing.probe_scores import Score
from engine.run import train_setup, training
from engine.run.background import BackgroundWriter
from errors import NotFiniteError, UserError

_MOST_CANDIDATES = 4  # each costs a pass over the images for its features
# Share of the net's arithmetic: with more in every step, cached features save little.
_LARGEST_SHARE = 0.5
_LEAST_SECS = 0.1  # enough to start a step


class TooShortError(UserError):
    """The time is too short for one epoch of the cheapest candidate."""


@dataclasses.dataclass(frozen=True)
class Trial:
    """The result of a candidate.

    Attributes:
      depth: the depth after which everything is trained.
      accuracy: the best on the held-out split, in [0, 1]; 0 if the run diverged.
      loss: mean over that split, in the same evaluation.
      epochs: number of epochs trained.
      secs: seconds trained.
    """

    depth: Depth
    accuracy: float
    loss: float
    epochs: float
    secs: float


def candidates(scores: Sequence[Score]) -> list[Depth]:
    """The depths worth trying, the one with the least to train first.

    These are the depths with the best linear classifiers among those that leave at most
    half of the net to train, except for the last, after which there is only the head.
    If there are none, it is the depth before the last.

    Args:
      scores: by depth, from the image on.
    """
    judged = [s for s in scores[:-1] if not s.is_screened_out]
    cheap = [s for s in judged if s.depth.flops_after <= _LARGEST_SHARE]
    best = sorted(cheap or scores[:-1][-1:], key=lambda s: -s.accuracy)
    kept = best[:_MOST_CANDIDATES]
    return [score.depth for score in reversed(scores) if score in kept]


def run(
    configs: Mapping[Depth, TrainConfig], secs: float, strategy: tf.distribute.Strategy
) -> list[Trial]:
    """Trains the candidates in turn and keeps the better half after each round.

    Args:
      configs: the options of each candidate's run, the cheapest first.
      secs: seconds of training in total, apart from computing features.
      strategy: the device.

    Returns:
      The results, the best first.

    Raises:
      TooShortError: the time is too short for an epoch.
      UserError: there is no room for the features.
    """
    if not configs:
        logging.warning("no trial: the net has no depth before its last")
        return []
    with contextlib.ExitStack() as stack:
        left = [_Candidate(*item, strategy, stack) for item in configs.items()]
        done: list[_Candidate] = []
        num_rounds = max(1, math.ceil(math.log2(len(left))))
        for number in range(num_rounds):
            for candidate in left:
                candidate.train(secs / num_rounds / len(left))
                if number == 0 and candidate is left[0]:
                    candidate.require_epoch_within(secs)
            left.sort(key=_Candidate.rank, reverse=True)
            half = math.ceil(len(left) / 2)
            done = left[half:] + done
            left = left[:half]
        return [candidate.result() for candidate in left + done]


class _Candidate:
    """A training run that is resumed in each round."""

    def __init__(
        self,
        depth: Depth,
        config: TrainConfig,
        strategy: tf.distribute.Strategy,
        stack: contextlib.ExitStack,
    ) -> None:
        """Restores the weights and computes the features that are missing."""
        logging.info("trial of what comes after %s", depth.end_point)
        self._depth, self._config, self._secs = depth, config, 0.0
        self._setup = train_setup.prepare(config, strategy)
        os.makedirs(config.run.train_dir, exist_ok=True)
        writer = stack.enter_context(BackgroundWriter())
        self._training = training.build(
            self._setup, config, strategy, writer, secs_between_lines=math.inf
        )
        self._has_diverged = False
        self.train(_LEAST_SECS)  # compiles the step
        self._compiled_epochs, self._secs = self._epochs, 0.0

    def train(self, secs: float) -> None:
        """Trains for this long, but at least one step, then evaluates."""
        if self._has_diverged or self._training.is_finished:
            return
        run, started_at = self._training, time.monotonic()
        limit = Interruption(max(secs, _LEAST_SECS))
        try:
            with train_loop.explained_step_errors(self._setup, self._config):
                train_loop.take_steps(run, self._config, limit)
            self._secs += time.monotonic() - started_at
            if run.validation and not run.validation.has_evaluated(run.step):
                run.validation.run()
            logging.info("%s", self)
        except NotFiniteError as error:
            logging.warning("after %s: %s", self._depth.end_point, error)
            self._has_diverged = True

    def require_epoch_within(self, secs: float) -> None:
        """Refuses a time in which not even one epoch can be trained.

        Raises:
          TooShortError: the time is too short.
        """
        epochs = self._epochs - self._compiled_epochs
        if epochs and secs < (epoch_secs := self._secs / epochs):
            raise TooShortError(
                f"--trial_secs={secs:g} is less than an epoch of the cheapest candidate"
                f" takes (what comes after {self._depth.end_point}): {epoch_secs:.3g}"
                " seconds; raise it to several times that, or omit it"
            )

    @property
    def _epochs(self) -> float:
        images = self._training.step * self._setup.images_per_step
        return images / self._setup.dataset.num_examples

    def __str__(self) -> str:
        result = self.result()
        return (
            f"trial after {self._depth.end_point}: accuracy {result.accuracy:.4f} by"
            f" {result.epochs:.1f} epochs"
        )

    def rank(self) -> tuple[float, float]:
        """A key that is larger for the better candidate."""
        result = self.result()
        return result.accuracy, -result.loss

    def result(self) -> Trial:
        """The result so far."""
        validation = self._training.validation
        if self._has_diverged or validation is None:
            return Trial(self._depth, 0.0, math.inf, self._epochs, self._secs)
        best = validation.best
        return Trial(self._depth, best.accuracy, best.loss, self._epochs, self._secs)
