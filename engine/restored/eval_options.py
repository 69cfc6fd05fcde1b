"""The options of an evaluation, completed from `run.json` and `model.json`."""

import dataclasses
import os
import shlex
from collections.abc import Sequence, Set

from absl import logging

from checkpoints import run_info, shared_folder
from checkpoints.model_info import FILE_NAME, ModelInfo
from checkpoints.run_info import RunInfo
from checkpoints.slim_format import Checkpoint
from common import storage
from config.eval_config import EvalConfig, EvalOptions
from config.options import split_list
from config.shared_options import require_dataset_dir
from datasets import dataset_factory, folder_splits, input_pipeline
from datasets.dataset import Dataset
from engine import inputs
from engine.restored import checkpoint_info, checkpoint_run
from errors import UserError
from nets.new_head import NewHead

_EVAL_FOLDER = "eval"
SAME_CLASSES = (
    "evaluate it on data with its classes, in its order (the converter's --classes_of);"
    " if only names have changed since, change them back, or in model.json too"
)


def checkpoint_paths(text: str) -> list[str]:
    """The entries of `--checkpoint_path`, which may also be one path with a comma."""
    path = os.path.expanduser(text)
    if storage.exists(path) or storage.exists(f"{path}.index"):
        return [text]
    return split_list(text) or [text]


def located(
    config: EvalConfig, folder: str, given: Set[str]
) -> tuple[EvalConfig, Set[str], str | None]:
    """Finds the data and the folder for the results, and checks that they are usable.

    Args:
      config: the options.
      folder: the folder of the checkpoint.
      given: names of the flags on the command line.

    Returns:
      The options, completed from `run.json` and `dataset.json`; the names of the flags
      that are now set; the split that the run was validated on, if any.

    Raises:
      UserError: there is no such data set, or the folder is not the user's own.
    """
    run = checkpoint_run.read(folder)
    if run:
        config = with_places_of_run(config, run, folder, given)
    shared_folder.require_own(config.evaluation.eval_dir, flag="eval_dir")
    require_dataset_dir(config.data.dataset_dir)
    folder_splits.require_directory(config.data.dataset_dir or "")
    data = inputs.with_found_name(config.data, given)
    if data.dataset_name != config.data.dataset_name:
        config = dataclasses.replace(config, data=data)
        given = given | {"dataset_name"}  # whatever model.json was trained on
    return config, given, run.eval_split_name if run else None


def with_places_of_run(
    config: EvalConfig, run: RunInfo, folder: str, given: Set[str]
) -> EvalConfig:
    """The options with `--dataset_dir` and `--eval_dir` of a run.

    Args:
      config: the options.
      run: the contents of `run.json`.
      folder: the folder of the checkpoint; results go into a folder in it.
      given: names of the flags on the command line.

    Raises:
      UserError: the run's data set is no longer in its folder.
    """
    data, evaluation = config.data, config.evaluation
    if not data.dataset_dir and run.dataset_dir:
        if not storage.is_folder(run.dataset_dir):
            raise UserError(
                f"{run.dataset_dir}, the data set that the run was trained on, no"
                " longer exists: give its new folder with --dataset_dir"
            )
        data = dataclasses.replace(data, dataset_dir=run.dataset_dir)
    if "eval_dir" not in given and evaluation.eval_dir == shared_folder.DEFAULT:
        eval_dir = os.path.join(folder, _EVAL_FOLDER)
        evaluation = dataclasses.replace(evaluation, eval_dir=eval_dir)
    completed_config = dataclasses.replace(config, data=data, evaluation=evaluation)
    _log_changes(run_info.FILE_NAME, config, completed_config)
    return completed_config


def _log_changes(source: str, before: EvalConfig, after: EvalConfig) -> None:
    """Logs the flags that come from a file, as on a command line."""
    flags = [
        f"--{name}={shlex.quote(str(value))}"
        for group in ("model", "data", "evaluation")
        for name, value in vars(getattr(after, group)).items()
        if value != getattr(getattr(before, group), name)
    ]
    if flags:
        logging.info("from %s: %s", source, " ".join(flags))


def completed(config: EvalConfig, info: ModelInfo, given: Set[str]) -> EvalConfig:
    """The options, completed from `model.json`.

    It determines the net, its preprocessing, `--use_grayscale` and `--labels_offset`,
    and `--dataset_name` and `--eval_image_size` unless they are given.

    Args:
      config: the options.
      info: the contents of the checkpoint's `model.json`.
      given: names of the flags on the command line.

    Raises:
      UserError: a flag contradicts it.
    """
    data, model = config.data, config.model
    flags = {
        "model_name": model.model_name,
        "final_endpoint": model.final_endpoint,
        "head_hidden_units": model.hidden_units,
        "use_grayscale": data.use_grayscale,
        "labels_offset": data.labels_offset,
        "preprocessing_name": data.preprocessing_name,
    }
    checkpoint_info.require_agreement(
        info, {name: value for name, value in flags.items() if name in given}
    )
    name = data.dataset_name
    if info.dataset_name and "dataset_name" not in given:
        name = info.dataset_name
    completed_config = dataclasses.replace(
        config,
        model=dataclasses.replace(
            model,
            model_name=info.model_name,
            final_endpoint=info.final_endpoint,
            head_hidden_units=",".join(map(str, info.head_hidden_units)) or None,
        ),
        data=dataclasses.replace(
            data,
            dataset_name=name,
            preprocessing_name=info.preprocessing_name,
            use_grayscale=info.use_grayscale,
            labels_offset=info.labels_offset,
        ),
        evaluation=dataclasses.replace(
            config.evaluation,
            eval_image_size=config.evaluation.eval_image_size or info.image_size,
        ),
    )
    _log_changes(FILE_NAME, config, completed_config)
    return completed_config


def with_labels_offset(
    config: EvalConfig, dataset: Dataset, checkpoint: Checkpoint
) -> EvalConfig:
    """The options with the labels offset that fits a published checkpoint."""
    model = config.model
    trained = checkpoint_info.num_trained_classes(
        *(checkpoint, model.model_name),
        NewHead(model.final_endpoint, model.hidden_units),
    )
    if trained is None:
        return config
    offset = checkpoint_info.detected_offset(
        dataset.num_classes, dataset.class_counts, trained
    )
    if not offset:
        return config
    logging.info(
        "the checkpoint is for %d classes; %s has %d, but no image of the first:"
        " evaluating with --labels_offset=%d",
        *(trained, dataset.name, dataset.num_classes, offset),
    )
    data = dataclasses.replace(config.data, labels_offset=offset)
    return dataclasses.replace(config, data=data)


def choose_split(
    default: str, splits: Sequence[str], validated: str | None = None
) -> str:
    """The split to evaluate if the user names none.

    Args:
      default: the first choice.
      splits: the splits that exist.
      validated: the split that a run was validated on, if any.

    Returns:
      The first that exists of `default`, `validated` and `validation`, or else the only
      split apart from `train`; `default` if there is no such split.
    """
    others = [split for split in splits if split != "train"]
    for choice in (default, validated, "validation"):
        if choice in others:
            return choice
    return others[0] if len(others) == 1 else default


def find_split(config: EvalConfig, is_given: bool, validated: str | None) -> Dataset:
    """The split to evaluate.

    Args:
      config: the options.
      is_given: whether `--dataset_split_name` is given, so that no other will do.
      validated: the split that the run was validated on, if any.

    Raises:
      UserError: there is no such split.
    """
    data, wanted = config.data, config.evaluation.dataset_split_name
    splits = dataset_factory.available_splits(data.dataset_name, data.dataset_dir or "")
    chosen = wanted if is_given else choose_split(wanted, splits, validated)
    if chosen == validated != wanted:
        logging.info("no split %r: evaluating %r, as in training", wanted, chosen)
    elif chosen != wanted:
        logging.warning(
            "%s has no split %r: evaluating %r", data.dataset_name, wanted, chosen
        )
    return inputs.get_dataset(data, chosen, num_examples=config.evaluation.num_examples)


def batch_size(options: EvalOptions, num_examples: int) -> int:
    """Images per batch: even batches, unless `--max_num_batches` counts them."""
    if options.max_num_batches:
        return options.batch_size
    return input_pipeline.even_batch_size(num_examples, options.batch_size)
