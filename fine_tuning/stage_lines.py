"""The commands of a fine-tuning, as its stages, its data and its flags give them."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from config import flags
from config.train_config import TrainConfig
from fine_tuning import stage_commands, stages
from fine_tuning.commands import Command, merged
from fine_tuning.headings import Stage
from fine_tuning.photo_data import PhotoData
from fine_tuning.stage_commands import COMMANDS, NOTHING, WEIGHTS, Places

# They apply to the first stage, not to those that continue from it.
_OF_THE_START = {"checkpoint_path", "checkpoint_exclude_scopes", "ignore_missing_vars"}


class StageLines:
    """Command lines of stages.

    Attributes:
      values: the training flags that the command line gave, by name.
      checkpoint: the training flag of the checkpoint that all starts from; empty for
        random weights.
      data: the training data, once `use` has set it.
      eval_split_name: the split that the stages are compared on, likewise.
      test_split_name: the split that judges what is handed out, likewise.
    """

    def __init__(
        self,
        start: Sequence[str],
        values: dict[str, Any],
        output_dir: str,
        unlabeled_dir: str | None,
    ) -> None:
        """Data is still to come.

        Args:
          start: training flags of net and checkpoint.
          values: the training flags that the command line gave, by name.
          output_dir: the folder that holds everything.
          unlabeled_dir: photos without labels; None if there are none.
        """
        self.values = values
        self.data = PhotoData("", "")
        self.eval_split_name = ""
        self.test_split_name = ""
        self._start = [a for a in start if not a.startswith("--checkpoint_path")]
        self.checkpoint = [a for a in start if a.startswith("--checkpoint_path")]
        self._output_dir = output_dir
        self._unlabeled_dir = unlabeled_dir

    def use(
        self, data: PhotoData, eval_split_name: str, test_split_name: str = ""
    ) -> None:
        """Takes the data.

        Args:
          data: the data set, converted or to be.
          eval_split_name: the split that the stages are compared on.
          test_split_name: the split that judges; empty for the same.
        """
        self.data = data
        self.eval_split_name = eval_split_name
        self.test_split_name = test_split_name or eval_split_name

    def before(self, stage: Stage, done: Mapping[str, str]) -> list[str | None]:
        """The folders of the stages that another starts from; None if it is none.

        Args:
          stage: the other.
          done: folders of the checkpoints before it, by stage, in order.
        """
        if stage.starts:
            return [done.get(name) for name in stage.starts]
        return [list(done.values())[-1] if done else None]

    def common(self) -> list[str]:
        """The training flags of every stage: data, net, validation split."""
        return [
            f"--dataset_name={self.data.dataset_name}",
            f"--dataset_dir={self.data.dataset_dir}",
            *self._start,
            f"--eval_split_name={self.eval_split_name}",
        ]

    def of_stage(
        self, stage: Stage, folder: str, done: Mapping[str, str], secs: float | None
    ) -> Command:
        """The command of a stage.

        Args:
          stage: the stage.
          folder: its name within the output folder.
          done: folders of the checkpoints before it, by stage, in order.
          secs: how long it may take; None without a limit.
        """
        path = os.path.join(self._output_dir, folder)
        if not stage.trains:
            return self._other_command(stage, path, done)
        before = self.before(stage, done)[0]
        values = stages.without_steps(self.values, stage)
        last = self.checkpoint
        if before or NOTHING in stage.starts:
            values = {n: v for n, v in values.items() if n not in _OF_THE_START}
            last = [f"--checkpoint_path={before or ''}"]
        last = [*last, f"--train_dir={path}"]
        if secs is not None:
            last.append(f"--max_run_secs={int(secs)}")
        parts = self.common(), stage.arguments, flags.as_arguments(values), last
        return Command("train_image_classifier.py", merged(TrainConfig, *parts))

    def _other_command(
        self, stage: Stage, path: str, done: Mapping[str, str]
    ) -> Command:
        """The command of a stage that trains nothing, in a folder."""
        named = COMMANDS[stage.command]
        weights = "".join(self.checkpoint).partition("=")[2]
        at = Places(
            self.data,
            tuple(start or weights for start in self.before(stage, done)),
            path,
            self.eval_split_name,
            self.test_split_name,
            self._unlabeled_dir,
        )
        net = flags.values_of(TrainConfig, self._start)
        shared = [
            flags.as_arguments(stage_commands.shared(values, stage.command))
            for values in (net, self.values)
        ]
        decided = {name: find(at) for name, find in named.decided.items()}
        parts = shared[0], stage.arguments, shared[1], flags.as_arguments(decided)
        return Command(named.script, merged(named.config, *parts))

    def of_probe(self, folder: str, trial_secs: float) -> Command:
        """The command of the probe that looks at what all starts from.

        Args:
          folder: where its files go.
          trial_secs: for its trials; 0 for none.
        """
        arguments = [f"--trial_secs={trial_secs:g}"] if trial_secs else []
        stage = Stage("probe", tuple(arguments), (WEIGHTS,), "probe_image_classifier")
        return self._other_command(stage, folder, {})
