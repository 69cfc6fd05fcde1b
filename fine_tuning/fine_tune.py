"""From photos to a tuned classifier: data, weights, probe, stages, the best, report."""

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Iterator, Set

import tensorflow as tf
from absl import logging

from checkpoints.folder_lock import locked
from common import storage
from common.atomic_files import explained_errors
from config import flags
from config.fine_tune_config import FineTuneConfig, StagesOptions
from config.train_config import TrainConfig
from convert.exports.options import ExportConfig
from datasets import dataset_factory
from engine import devices
from errors import UserError
from fine_tuning import photo_data, results, tuning_state, weights
from fine_tuning import recipes as recipe_files
from fine_tuning.headings import Stage
from fine_tuning.photo_data import PhotoData
from fine_tuning.runs import Runs
from fine_tuning.stage_lines import StageLines
from fine_tuning.tuning_state import TuningState

# What this command decides for every stage.
_NOT_FOR_STAGES = {"dataset_name": "the photos", "dataset_dir": "the photos"}
_REFUSED = {
    "train_dir": "each stage has its own folder in --output_dir",
    "find_learning_rate": "train_image_classifier.py does that, of one stage",
    "list_scopes": "python train_image_classifier.py --list_scopes does that",
    "max_run_secs": "--budget_mins limits the stages",
}


@contextlib.contextmanager
def _resumable() -> Iterator[None]:
    """Says how to continue if Ctrl-C or SIGTERM ends it outside of a training run."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        logging.warning("stopped: the same command continues from here")
        raise


@explained_errors()
@_resumable()
def fine_tune(config: FineTuneConfig, photos: list[str], *, given: Set[str]) -> int:
    """Fine-tunes a classifier on photos, as the options say.

    Args:
      config: the options.
      photos: a folder, a CSV file or a converted data set; empty with --dataset_dir.
      given: names of the flags that the user gave.

    Returns:
      The exit status: 0, or 128 + the number of the signal that ended a stage.

    Raises:
      UserError: wrong input.
    """
    output_dir = config.stages.output_dir or ""
    storage.require_local(
        output_dir, flag="output_dir", instead="name a local folder, and copy it then"
    )
    values = _training_flags(config, given)
    recipe = config.stages.recipe and recipe_files.read(config.stages.recipe)
    _require_unlabeled(config.stages, recipe or [])
    data = photo_data.find(photos, config.data, output_dir)
    if formats := config.stages.export_formats:
        results.export_command(data, output_dir, formats).parse(ExportConfig)
    now = TuningState(
        data=storage.absolute(
            data.settings.source if data.settings else data.dataset_dir
        ),
        recipe=[[s.heading, list(s.arguments)] for s in recipe] if recipe else None,
        flags=[*flags.as_arguments(values), *_unlabeled(config.stages)],
    )
    state = tuning_state.resumed(now, output_dir)
    above = next(stage.arguments for stage in recipe if stage.trains) if recipe else ()
    start = weights.find(
        flags.values_of(TrainConfig, [*above, *flags.as_arguments(values)]), output_dir
    )
    if recipe:
        net = flags.values_of(TrainConfig, [*above, *start])["model_name"]
        recipe_files.require_scopes(recipe, net, config.stages.recipe or "")
    devices.make_strategy(
        config.run.num_clones,
        on_cpu=config.run.clone_on_cpu,
        deterministic=config.run.deterministic,
    )
    tf.random.set_seed(config.run.seed)  # for nets that are made to be restored
    lines = StageLines(start, values, output_dir, config.stages.unlabeled_dir)
    lines.use(data, str(values.get("eval_split_name") or "validation"))
    runs = Runs(config.stages, lines, recipe or None, state, output_dir)
    runs.require_flags_that_fit()
    with _folder(output_dir, dry=config.fine_tune.dry_run):
        if config.fine_tune.dry_run:
            return _dry_run(runs, data)
        state.write(output_dir)
        if data.command:
            print(data.command, flush=True)
            data.convert()
        lines.use(data, _eval_split(data, values), _test_split(data))
        if status := runs.run():
            return status
        results.hand_out(runs, config.stages.export_formats)
        return 0


def _training_flags(config: FineTuneConfig, given: Set[str]) -> dict[str, object]:
    """The training flags on the command line, except those of the data.

    Raises:
      UserError: one has no place here.
    """
    for name, why in _REFUSED.items():
        if name in given:
            raise UserError(f"--{name} is not a flag of fine_tune.py: {why}")
    return {
        field.name: getattr(group, field.name)
        for name, group in vars(config).items()
        if name != "stages"
        for field in dataclasses.fields(group)
        if field.name in given - {"dry_run", *_NOT_FOR_STAGES}
    }


def _unlabeled(options: StagesOptions) -> list[str]:
    folder = options.unlabeled_dir
    return [f"--unlabeled_dir={os.path.abspath(folder)}"] if folder else []


def _require_unlabeled(options: StagesOptions, recipe: list[Stage]) -> None:
    """Refuses unlabeled photos if no stage labels them, and vice versa.

    Raises:
      UserError: it is so, or there is no such folder.
    """
    folder = options.unlabeled_dir
    labeling = [stage.name for stage in recipe if stage.command == "pseudo_label"]
    if labeling and not folder:
        raise UserError(
            f"--recipe={options.recipe}: stage [{labeling[0]}] labels photos that have"
            " no labels: name their folder with --unlabeled_dir"
        )
    if folder and not labeling:
        raise UserError(
            f"--unlabeled_dir={folder} and no stage that labels photos: add a --recipe"
            " with one, as recipes/pseudo_labels.txt, or leave it out"
        )
    if folder and not os.path.isdir(folder):
        raise UserError(f"--unlabeled_dir={folder} is no folder: name one with photos")


@contextlib.contextmanager
def _folder(output_dir: str, *, dry: bool) -> Iterator[None]:
    """Creates and locks the output folder, except in a dry run."""
    if dry:
        yield
        return
    os.makedirs(output_dir, exist_ok=True)

    def busy(holder: str) -> str:
        return (
            f"{output_dir} is in use by {holder}: wait for it to finish, or use another"
            " --output_dir"
        )

    with locked(output_dir, busy=busy):
        yield


def _eval_split(data: PhotoData, values: dict[str, object]) -> str:
    """The split that the stages are compared on.

    Raises:
      UserError: there is none, and another must be named.
    """
    if name := values.get("eval_split_name"):
        return str(name)
    splits = dataset_factory.available_splits(data.dataset_name, data.dataset_dir)
    if "validation" in splits:
        return "validation"
    others = [name for name in splits if name != "train"]
    if others:
        way = f"choose another with --eval_split_name, such as {others[0]}"
    else:
        way = "add photos, or convert with --validation_fraction"
    raise UserError(
        f"{data.dataset_dir} has no split validation to compare the stages on"
        f" (there is {', '.join(splits)}): {way}"
    )


def _test_split(data: PhotoData) -> str:
    """The split for the final accuracy: the test split, or "" if there is none.

    Accuracy on the split by which stages are chosen is slightly optimistic.
    """
    splits = dataset_factory.available_splits(data.dataset_name, data.dataset_dir)
    return "test" if "test" in splits else ""


def _dry_run(runs: Runs, data: PhotoData) -> int:
    """Prints commands and plans; data for the plans is put into a temporary folder."""
    with tempfile.TemporaryDirectory() as scratch:
        made = data
        if data.command:
            print(data.command, flush=True)
            logging.info("converted for the plan only, in a temporary folder")
            made = data.in_folder(os.path.join(scratch, "data"))
            made.convert()
        runs.lines.use(data, _eval_split(made, runs.lines.values), _test_split(made))
        runs.show(made)
    return 0
