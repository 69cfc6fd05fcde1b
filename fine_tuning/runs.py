"""The runs of a fine-tuning: the probe and the stages, each in its own folder."""

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Any

from absl import logging

from config import flags
from config.fine_tune_config import StagesOptions
from config.probe_config import ProbeConfig
from config.train_config import TrainConfig
from datasets.dataset import Dataset
from engine import inputs, probe, train_loop
from engine.interruption import EXIT_TIME_LIMIT
from engine.probing.trials import TooShortError
from engine.run import validation
from engine.run.validation import Score
from errors import NotFiniteError
from fine_tuning import evaluations, stages
from fine_tuning.commands import Command
from fine_tuning.headings import Stage, explained
from fine_tuning.photo_data import PhotoData
from fine_tuning.stage_commands import COMMANDS
from fine_tuning.stage_lines import StageLines
from fine_tuning.tuning_state import TuningState

_PROBE_FOLDER = "probe"
_STAGE_FOLDER = re.compile(r"\d+-")  # see `Runs.folder`
_DEFAULT_BUDGET_MINS = 10.0
_TRIAL_SHARE = 0.2  # of a given budget
_NOTHING_MIXED_IN = (
    *("--mixed_in_split_name=", "--mixed_in_fraction=0", "--mixed_in_after_epochs=0"),
)
_LAST_STEP = 1 << 62  # of any run
_OF_THE_HEAD = {"final_endpoint", "head_hidden_units"}


class Runs:
    """Runs the stages in turn, each from the best checkpoint of its start.

    Attributes:
      lines: their commands.
      output_dir: the folder that holds everything.
      recipe: the stages; None lets the probe decide.
    """

    def __init__(
        self,
        options: StagesOptions,
        lines: StageLines,
        recipe: list[Stage] | None,
        state: TuningState,
        output_dir: str,
    ) -> None:
        """Nothing runs yet.

        Args:
          options: the options of the command.
          lines: the stages' commands.
          recipe: the stages; None lets the probe decide.
          state: the state of the output folder.
          output_dir: that folder.
        """
        self.lines = lines
        self.output_dir = output_dir
        self.recipe = recipe
        self._options = options
        self._state = state

    def require_flags_that_fit(self) -> None:
        """Looks at the flags of all stages before anything is done.

        Raises:
          UserError: a stage cannot take what the command line gave.
        """
        opened = () if self._options.budget_mins == 0 else (stages.OPENING,)
        done: dict[str, str] = {}
        for stage in self.recipe or (stages.HEAD, *opened):
            with explained(stage, self._options.recipe):
                command = self.lines.of_stage(stage, stage.name, done, None)
                command.parse(COMMANDS[stage.command].config)
            if stage.gives_checkpoint:
                done[stage.name] = stage.name

    def run(self) -> int:
        """Runs all stages that are not done; the exit status.

        Raises:
          UserError: wrong input.
        """
        done: dict[str, str] = {}
        for number, stage in enumerate(self._stages(), 1):
            folder = self.folder(number, stage)
            if folder in self._state.finished:
                logging.info("%s is already done", folder)
            else:
                left = self._secs_left(number)
                if left is not None and left < 1:
                    logging.info("--budget_mins is used up: %s is not finished", folder)
                    return 0
                command = self.lines.of_stage(stage, folder, done, left)
                with self._on_budget(number):
                    status = self._run(stage, command, folder, may_fail=number > 1)
                if status == EXIT_TIME_LIMIT and left is not None:
                    logging.info("a larger --budget_mins continues %s", folder)
                    return 0
                if status:
                    return status
                self._state.finished.append(folder)
                self._state.write(self.output_dir)
            if stage.gives_checkpoint:
                done[stage.name] = self._result(folder)
        return 0

    def _on_budget(self, number: int) -> contextlib.AbstractContextManager[None]:
        """Counts what a stage takes towards --budget_mins; the first one is free."""
        if number == 1:
            return contextlib.nullcontext()
        return self._state.on_budget(self.output_dir)

    def scores(self) -> dict[str, Score]:
        """The best evaluation of each stage that was begun, by its folder."""
        split = self.eval_split()
        begun = filter(_STAGE_FOLDER.match, os.listdir(self.output_dir))
        found = {}
        for folder in sorted(begun, key=lambda name: int(name.partition("-")[0])):
            path = os.path.join(self.output_dir, folder)
            history = validation.read_history(path, split, step=_LAST_STEP)
            if history:
                found[folder] = validation.best_of(history)
            elif score := evaluations.read_of_stage(path, self.lines.eval_split_name):
                found[folder] = score  # of an average, which was not trained
        return found

    def eval_split(self) -> Dataset:
        """The split that the stages are compared on."""
        config, given = flags.parse(TrainConfig, self.lines.common())
        data = inputs.with_found_name(config.data, given)
        return inputs.get_dataset(data, self.lines.eval_split_name)

    def show(self, made: PhotoData) -> None:
        """Prints the commands of a dry run and the plans that are known before it."""
        done: dict[str, str] = {}
        is_labeled = False
        for number, stage in enumerate(self._stages(is_dry=True), 1):
            folder = self.folder(number, stage)
            command = self.lines.of_stage(stage, folder, done, None)
            print(command, flush=True)
            before = self.lines.before(stage, done)[0]
            if stage.gives_checkpoint:
                done[stage.name] = os.path.join(self.output_dir, folder)
            if not stage.trains:
                is_labeled = is_labeled or stage.command == "pseudo_label"
                continue
            plan = [*command.arguments, f"--dataset_dir={made.dataset_dir}"]
            if before:
                print(
                    "(planned from the first stage's start: the previous stage has not"
                    " run yet)"
                )
                start = [*self.lines.checkpoint, "--checkpoint_exclude_scopes=head"]
                plan += start if self.lines.checkpoint else ["--checkpoint_path="]
            if is_labeled:
                print("(planned without photos mixed in: they have no labels yet)")
                plan += _NOTHING_MIXED_IN
            config, given = flags.parse(TrainConfig, [*plan, "--dry_run"])
            train_loop.train(config, given=given)

    def _stages(self, *, is_dry: bool = False) -> Iterator[Stage]:
        """The stages of the recipe, or the head and what a probe advises."""
        budget = self._options.budget_mins
        if self.recipe:
            yield from self.recipe
            return
        folder = os.path.join(self.output_dir, _PROBE_FOLDER)
        if budget != 0 and stages.read_probe(folder) is None:
            self._probe(folder, is_dry=is_dry)
        yield stages.HEAD
        if budget != 0:
            yield from self._stages_after_head(stages.read_probe(folder), is_dry)

    def _stages_after_head(
        self, found: dict[str, Any] | None, is_dry: bool
    ) -> Iterator[Stage]:
        """What may be better than the head; without the probe of a dry run, a note."""
        if found is None:
            print("\nthen a shorter net or more blocks, where the probe expects a gain")
            return
        if not is_dry and self._is_perfect():
            logging.info(
                "the head classifies every validation image correctly: no stage can"
                " gain anything"
            )
            return
        shorter = stages.shorter(found)
        if shorter and _OF_THE_HEAD.isdisjoint(self.lines.values):
            yield shorter
        accuracies = {
            folder.partition("-")[2]: score.accuracy
            for folder, score in ({} if is_dry else self.scores()).items()
        }
        why = stages.why_no_gain(found, accuracies)
        if why and self._options.budget_mins is None:
            logging.info(
                "no blocks are trained, as %s: --budget_mins=10 tries it anyway", why
            )
        else:
            yield stages.top(found)

    def _probe(self, folder: str, *, is_dry: bool) -> None:
        """Probes, with trials if a budget is given; their time is part of it."""
        trial_secs = 60 * (self._options.budget_mins or 0) * _TRIAL_SHARE
        if self.lines.values.get("deterministic"):  # trials depend on time
            trial_secs = 0.0
        command = self.lines.of_probe(folder, trial_secs)
        print(command, flush=True)
        if is_dry:
            return
        config, given = command.parse(ProbeConfig)
        try:
            probe.probe(config, given=given)
        except TooShortError as error:
            logging.info("no trials within --budget_mins: %s", error)
            config, given = self.lines.of_probe(folder, 0).parse(ProbeConfig)
            probe.probe(config, given=given)
        found = stages.read_probe(folder) or {}
        self._state.used_secs += sum(trial["secs"] for trial in found["trials"])
        self._state.write(self.output_dir)

    def _is_perfect(self) -> bool:
        return any(score.accuracy == 1 for score in self.scores().values())

    def _secs_left(self, number: int) -> float | None:
        """What the budget leaves a stage, in seconds; None without a limit."""
        budget = self._options.budget_mins
        if number == 1 or (budget is None and self.recipe):
            return None
        mins = _DEFAULT_BUDGET_MINS if budget is None else budget
        return 60 * mins - self._state.used_secs

    def folder(self, number: int, stage: Stage) -> str:
        """The name of a stage's folder within the output folder."""
        return f"{number}-{stage.name}"

    def _result(self, folder: str) -> str:
        """The best checkpoint of a stage, else its last."""
        run = os.path.join(self.output_dir, folder)
        best = os.path.join(run, validation.BEST_FOLDER)
        return best if os.path.isdir(best) else run

    def _run(
        self, stage: Stage, command: Command, folder: str, *, may_fail: bool
    ) -> int:
        """Runs a stage; the exit status. One that may fail leaves those before it."""
        print(command, flush=True)
        named, path = COMMANDS[stage.command], os.path.join(self.output_dir, folder)
        config: Any
        config, given = command.parse(named.config)
        try:
            status = named.run(config, given, path)
        except NotFiniteError as error:
            if not may_fail:
                raise
            logging.warning("the stage ends here; earlier stages count: %s", error)
            return 0
        if stage.gives_checkpoint and not stage.trains:
            evaluations.of_stage(self.lines.data, self.lines.eval_split_name, path)
        return status
