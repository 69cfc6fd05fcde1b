"""What is known of a finished or interrupted run, from the files in its folder."""

import dataclasses
import math
import os
import re
from collections.abc import Sequence

from checkpoints import model_info, run_info, scopes, slim_format
from checkpoints.model_info import ModelInfo
from checkpoints.run_info import RunInfo
from checkpoints.slim_format import Checkpoint
from common import storage
from engine.evaluation import calibration
from engine.events import run_events
from engine.run import validation
from engine.run.validation import Score
from engine.step.run_length import steps_in
from errors import UserError
from nets import nets_factory
from nets.new_head import NewHead

_STAGE = re.compile(r"(\d+)-.+")
_STATISTICS = ("moving_mean", "moving_variance")


@dataclasses.dataclass(frozen=True)
class RunFacts:
    """A run, or one stage of a recipe.

    Attributes:
      folder: the run's folder.
      recipe: the folder of the recipe that it is a stage of; None if it is not a stage.
      model_name: name of its net; "" if unknown.
      start: the checkpoint that it started from; "" for random weights.
      num_trained: number of parameters that it trains; None if unknown.
      steps_per_epoch: steps per epoch; None if unknown.
      scores: its evaluations, in order.
      secs: how long it took; None if unknown.
      step: step of its newest checkpoint.
    """

    folder: str
    recipe: str | None
    model_name: str
    start: str
    num_trained: int | None
    steps_per_epoch: float | None
    scores: tuple[Score, ...]
    secs: float | None
    step: int

    @property
    def best(self) -> Score | None:
        """The best evaluation; None if there was none."""
        return validation.best_of(self.scores) if self.scores else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The best accuracy's 95% Wilson interval; None without image counts."""
        best = self.best
        if best is None or not best.num_images:
            return None
        num_right = round(best.accuracy * best.num_images)
        return calibration.wilson_interval(num_right, best.num_images)

    @property
    def num_epochs(self) -> float | None:
        """How many epochs it has trained; None if unknown."""
        return self.step / self.steps_per_epoch if self.steps_per_epoch else None

    def accuracy_at(self, epoch: float) -> float | None:
        """The accuracy of the last evaluation until an epoch; None before the first."""
        if not self.steps_per_epoch:
            return None
        until = steps_in(epoch, self.steps_per_epoch)  # as training evaluates
        past = [score.accuracy for score in self.scores if score.step <= until]
        return past[-1] if past else None


def find(folders: Sequence[str]) -> tuple[list[RunFacts], list[str]]:
    """Finds the runs among folders, and the stages of recipes in their order.

    Returns:
      The runs, and the names of folders that are not runs.

    Raises:
      UserError: there is no such folder.
    """
    found, others = [], []
    for folder in dict.fromkeys(storage.tidy(f) for f in folders):
        stages = _stages(folder)
        # The folder of a recipe looks like a run, too, as it holds the result.
        if stages:
            found += [_read(stage, folder) for stage in stages]
        elif _is_run(folder):
            found.append(_read(folder, None))
        elif storage.exists(folder):
            others.append(folder)
        else:
            raise UserError(f"{folder}: there is no such run; name folders of runs")
    return found, others


def _is_run(folder: str) -> bool:
    names = (model_info.FILE_NAME, run_info.FILE_NAME)
    return any(storage.is_file(os.path.join(folder, name)) for name in names)


def _stages(folder: str) -> list[str]:
    """Folders `1-head`, `2-top`, … within, in the order of their numbers."""
    if not storage.is_folder(folder):
        return []
    matches = sorted(
        (int(m[1]), m[0]) for m in map(_STAGE.fullmatch, storage.names_in(folder)) if m
    )
    paths = [os.path.join(folder, name) for _, name in matches]
    return [path for path in paths if _is_run(path)]


def _read(folder: str, recipe: str | None) -> RunFacts:
    net, run = model_info.read(folder), run_info.read(folder)
    newest = slim_format.latest_checkpoint(folder)
    checkpoint = Checkpoint(newest) if newest else None
    start = run.start_flags.get("checkpoint_path") if run else None
    return RunFacts(
        folder=folder,
        recipe=recipe,
        model_name=net.model_name if net else "",
        start=start or "",
        num_trained=(
            _num_trained(checkpoint, run, net) if checkpoint and run and net else None
        ),
        steps_per_epoch=_steps_per_epoch(run) if run else None,
        scores=tuple(validation.read_scores(folder)),
        secs=run_events.seconds_in_all(folder),
        step=(checkpoint.global_step if checkpoint else None) or 0,
    )


def _steps_per_epoch(run: RunInfo) -> float | None:
    if run.flags.get("head_solver", "steps") != "steps":
        return 1.0  # it sees each image once, in one step
    names = ("batch_size", "num_clones", "gradient_accumulation_steps")
    sizes = [run.flags.get(name) for name in names]
    if not run.num_examples or not all(sizes):
        return None
    return run.num_examples / math.prod(filter(None, sizes))


def _num_trained(checkpoint: Checkpoint, run: RunInfo, net: ModelInfo) -> int:
    """Number of parameters in the trained scopes, without slots and averages."""
    shapes = checkpoint.shapes
    names: Sequence[str] = [
        name
        for name in shapes
        if "/" in name
        and name.rpartition("/")[0] not in shapes
        and not name.endswith(_STATISTICS)
    ]
    wanted = run.flags.get("trainable_scopes")
    if wanted:
        names = scopes.select(
            scopes.parse_scopes(wanted, flag="trainable_scopes"),
            names,
            flag="trainable_scopes",
            head_scopes=nets_factory.head_scopes(net.model_name, NewHead.of(net)),
        )
    return sum(math.prod(shapes[name]) for name in names)
