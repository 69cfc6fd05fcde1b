"""Validation during training: the best checkpoint, and when to stop."""

import dataclasses
import functools
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging

from checkpoints.checkpoint_folder import CheckpointFolder
from checkpoints.model_info import ModelInfo
from common import storage
from common.atomic_files import atomic_write
from common.throttle import Throttle
from datasets.dataset import Dataset
from engine.batch_norm.recomputation import Recomputation
from engine.evaluation.evaluation import Evaluator, Results
from engine.run.background import BackgroundWriter
from engine.step.train_state import TrainState
from errors import UserError

BEST_FOLDER = "best"
_HISTORY_FILE = "evaluations.json"


@dataclasses.dataclass(frozen=True)
class Score:
    """One evaluation of a run.

    Attributes:
      step: the step of the run.
      accuracy: share of the images that were classified correctly.
      loss: mean over the images.
      split_name: the split; None if evaluated by a release that did not note it.
      data_fingerprint: `Dataset.fingerprint` of the split.
      num_images: number of images evaluated.
    """

    step: int
    accuracy: float
    loss: float
    split_name: str | None = None
    data_fingerprint: str | None = None
    num_images: int | None = None


def best_of(history: Sequence[Score]) -> Score:
    """The score of highest accuracy; in a tie, of lowest loss, then the earliest."""
    return max(history, key=lambda score: (score.accuracy, -score.loss, -score.step))


def evaluations_since_best(history: Sequence[Score]) -> int:
    """Number of evaluations after the best one."""
    best = best_of(history)
    return sum(score.step > best.step for score in history)


def _parse_score(entry: Mapping[str, Any]) -> Score:
    return Score(
        int(entry["step"]),
        float(entry["accuracy"]),
        float(entry["loss"]),
        entry.get("split_name"),
        entry.get("data_fingerprint"),
        entry.get("num_images"),
    )


def read_scores(train_dir: str) -> list[Score]:
    """All evaluations of a run, in order; empty if it was not validated.

    Raises:
      UserError: the file is damaged.
    """
    path = os.path.join(train_dir, BEST_FOLDER, _HISTORY_FILE)
    if not storage.exists(path):
        return []
    try:
        with storage.open_text(path) as file:
            return [_parse_score(entry) for entry in json.load(file)]
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise UserError(
            f"{path} is damaged ({error}): remove it, and the best checkpoint is chosen"
            " among the evaluations to come"
        ) from error


def read_history(train_dir: str, dataset: Dataset, step: int) -> list[Score]:
    """The evaluations of a run up to a step.

    Args:
      train_dir: the run's folder.
      dataset: the split that will be evaluated.
      step: the step that the run resumes from.

    Raises:
      UserError: the file is damaged, or an evaluation is of another split.
    """
    folder = os.path.join(train_dir, BEST_FOLDER)
    history = [score for score in read_scores(train_dir) if score.step <= step]
    for score in history:
        _require_same_split(folder, score, dataset)
    return history


def _require_same_split(folder: str, score: Score, dataset: Dataset) -> None:
    """Refuses a score that cannot be compared with those to come."""
    name = dataset.split_name
    if score.split_name not in (None, name):
        other = f"split {score.split_name!r}"
    elif score.data_fingerprint not in (None, dataset.fingerprint):
        other = f"an earlier version of split {name!r} (another fingerprint)"
    else:
        return
    raise UserError(
        f"the checkpoint in {folder} was chosen by its accuracy on {other}, which"
        f" cannot be compared with accuracy on the current split {name!r}: validate on"
        " the same data, use another --train_dir, or move that folder away"
    )


class Validation:
    """Evaluates during training and keeps the best checkpoint in `<train_dir>/best`.

    Attributes:
      split_name: name of the split that is evaluated.
      every_n_steps: steps between two evaluations.
    """

    def __init__(
        self,
        state: TrainState,
        evaluator: Evaluator,
        recomputation: Recomputation,
        writer: BackgroundWriter,
        *,
        train_dir: str,
        info: ModelInfo,
        dataset: Dataset,
        every_n_steps: int,
        patience: int | None,
        writes: bool = True,
        secs_between_lines: float = 0.0,
    ) -> None:
        """Reads the evaluations so far, if the run resumes.

        Args:
          state: what is trained.
          evaluator: evaluates the net on the split.
          recomputation: recomputes the net's batch-norm statistics.
          writer: the thread that writes files.
          train_dir: the run's folder.
          info: the contents of model.json, for the folder of the best checkpoint.
          dataset: the split.
          every_n_steps: steps between two evaluations.
          patience: number of evaluations without a better one after which the run
            stops; None never stops it.
          writes: False where another machine does.
          secs_between_lines: an evaluation sooner after a line is not logged.

        Raises:
          UserError: an earlier evaluation is of another split.
        """
        self._throttle = Throttle(secs_between_lines)
        self._state = state
        self._evaluator = evaluator
        self._recomputation = recomputation
        self._writer = writer
        self.split_name = dataset.split_name
        self._data = dataset.split_name, dataset.fingerprint, dataset.num_examples
        self.every_n_steps = every_n_steps
        self._patience = patience
        self._folder = CheckpointFolder(os.path.join(train_dir, BEST_FOLDER), keep=1)
        self._writes = writes
        if writes:
            self._folder.create(info)
        self._history_path = os.path.join(self._folder.path, _HISTORY_FILE)
        step = int(state.global_step.numpy())
        self._history = read_history(train_dir, dataset, step)
        if self._history and not self._folder.has_checkpoint():
            logging.warning(
                "the best checkpoint so far, of step %d, is no longer in %s: the best"
                " of the evaluations from now on is kept",
                *(best_of(self._history).step, self._folder.path),
            )
            self._history = []

    def is_due(self, step: int) -> bool:
        """Whether the step is one at which to evaluate."""
        return step % self.every_n_steps == 0

    def run(self, *, is_last: bool = False) -> Results:
        """Evaluates now, with the moving averages if there are any.

        The best checkpoint holds the statistics that it was evaluated with.

        Args:
          is_last: whether this is after the run's last step, which is always logged.
        """
        step = int(self._state.global_step.numpy())
        if not self._history:
            self._recomputation.warn_if_unsettled(step)
        with self._recomputation.in_place():
            results = self._evaluator.run()
        history = [s for s in self._history if s.step != step]
        score = Score(step, results.accuracy, results.loss, *self._data)
        self._history = [*history, score]
        best = best_of(self._history)
        arrays = None
        if best.step == step:
            arrays = self._state.arrays(self._recomputation.statistics())
        write = functools.partial(self._write, step, arrays, self._history)
        if self._writes:
            self._writer.submit(write)
        if self._throttle.is_due() or is_last or self.should_stop:
            logging.info(
                "validation at step %d: accuracy %.4f, loss %.4f (best: %.4f at step"
                " %d)",
                *(step, results.accuracy, results.loss, best.accuracy, best.step),
            )
        return results

    def has_evaluated(self, step: int) -> bool:
        """Whether the weights of a step have been evaluated."""
        return any(score.step == step for score in self._history)

    @property
    def best(self) -> Score:
        """The best evaluation so far; there must be one."""
        return best_of(self._history)

    @property
    def should_stop(self) -> bool:
        """Whether patience has run out."""
        if not self._patience or not self._history:
            return False
        return evaluations_since_best(self._history) >= self._patience

    def best_as_text(self) -> str:
        """The best evaluation so far, and where its checkpoint is."""
        best = best_of(self._history)
        kept = "kept in" if self._folder.holds(best.step) else "which is no longer in"
        return (
            f"best accuracy {best.accuracy:.4f} at step {best.step}, {kept}"
            f" {self._folder.path}"
        )

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
