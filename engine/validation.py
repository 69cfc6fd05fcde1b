"""Validation during training: the best checkpoint, and when to stop."""

import contextlib
import dataclasses
import functools
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging

from checkpoints.model_record import ModelRecord
from checkpoints.retention import CheckpointFolder
from datasets.files import atomic_write
from engine.background import BackgroundWriter
from engine.evaluation import Evaluator, Results
from engine.train_state import TrainState
from errors import UserError

BEST_FOLDER = "best"
_HISTORY_FILE = "evaluations.json"


@dataclasses.dataclass(frozen=True)
class Score:
    """One evaluation of a run."""

    step: int
    accuracy: float
    loss: float


def best_of(history: Sequence[Score]) -> Score:
    """The highest accuracy; of equals the lowest loss, then the first."""
    return max(history, key=lambda score: (score.accuracy, -score.loss, -score.step))


def evaluations_since_best(history: Sequence[Score]) -> int:
    """How many evaluations came after the best one."""
    best = best_of(history)
    return sum(score.step > best.step for score in history)


def _parse_score(entry: Mapping[str, Any]) -> Score:
    return Score(int(entry["step"]), float(entry["accuracy"]), float(entry["loss"]))


class Validation:
    """Evaluates while training and keeps the best checkpoint in `<train_dir>/best`.

    Attributes:
      split_name: of the split that is evaluated.
      every_n_steps: steps between two evaluations.
    """

    def __init__(
        self,
        state: TrainState,
        evaluator: Evaluator,
        writer: BackgroundWriter,
        *,
        train_dir: str,
        record: ModelRecord,
        split_name: str,
        every_n_steps: int,
        patience: int | None,
    ) -> None:
        """Reads what an interrupted run evaluated.

        Args:
          state: what is trained.
          evaluator: of the split.
          writer: who writes.
          train_dir: the run's folder.
          record: what the run's weights are for.
          split_name: of the split that is evaluated.
          every_n_steps: steps between two evaluations.
          patience: evaluations without a better accuracy before the run stops; None
            never stops it.
        """
        self._state = state
        self._evaluator = evaluator
        self._writer = writer
        self.split_name = split_name
        self.every_n_steps = every_n_steps
        self._patience = patience
        self._folder = CheckpointFolder(os.path.join(train_dir, BEST_FOLDER), keep=1)
        self._folder.create(record)
        self._history_path = os.path.join(self._folder.path, _HISTORY_FILE)
        step = int(state.global_step.numpy())
        self._history = [s for s in self._read_history() if s.step <= step]

    def is_due(self, step: int) -> bool:
        """Whether a step is one to evaluate at."""
        return step % self.every_n_steps == 0

    def run(self) -> Results:
        """Evaluates now, with the moving averages if there are any."""
        average = self._state.moving_average
        with average.in_place() if average else contextlib.nullcontext():
            results = self._evaluator.run()
        step = int(self._state.global_step.numpy())
        history = [s for s in self._history if s.step != step]
        self._history = [*history, Score(step, results.accuracy, results.loss)]
        best = best_of(self._history)
        arrays = self._state.arrays() if best.step == step else None
        self._writer.submit(functools.partial(self._write, step, arrays, self._history))
        logging.info(
            "validation at step %d: accuracy %.4f, loss %.4f (best: %.4f at step %d)",
            *(step, results.accuracy, results.loss, best.accuracy, best.step),
        )
        return results

    @property
    def should_stop(self) -> bool:
        """Whether patience has run out."""
        if not self._patience or not self._history:
            return False
        return evaluations_since_best(self._history) >= self._patience

    def describe_best(self) -> str:
        """The best evaluation so far and where its checkpoint is."""
        best = best_of(self._history)
        return (
            f"best accuracy {best.accuracy:.4f} at step {best.step}, kept in"
            f" {self._folder.path}"
        )

    def _read_history(self) -> list[Score]:
        if not os.path.exists(self._history_path):
            return []
        try:
            with open(self._history_path, encoding="utf-8") as file:
                return [_parse_score(entry) for entry in json.load(file)]
        except (OSError, ValueError, TypeError, LookupError) as error:
            raise UserError(
                f"{self._history_path} is damaged ({error}): remove it to choose the"
                " best checkpoint anew"
            ) from error

    def _write(
        self,
        step: int,
        arrays: Mapping[str, np.ndarray] | None,
        history: Sequence[Score],
    ) -> None:
        if arrays is not None:
            self._folder.save(step, arrays)
        with atomic_write(self._history_path, "w") as file:
            json.dump([dataclasses.asdict(score) for score in history], file)
