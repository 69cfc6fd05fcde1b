"""Flags of evaluation that `model.json` knows better."""

import dataclasses
import os
import shlex
from collections.abc import Sequence, Set
from typing import Any

from absl import logging

from checkpoints import run_record, shared_folder
from checkpoints.model_record import FILE_NAME, ModelRecord, first_difference
from checkpoints.run_record import RunRecord
from checkpoints.slim_format import Checkpoint
from config.eval_config import EvalConfig
from datasets.dataset import Dataset
from engine.restored import checkpoint_record
from errors import UserError
from preprocessing.preprocessing_factory import same_recipe

_EVAL_FOLDER = "eval"


def with_places_of_run(
    config: EvalConfig, run: RunRecord, folder: str, given: Set[str]
) -> EvalConfig:
    """The options with what a run's record says of `--dataset_dir` and `--eval_dir`.

    Args:
      config: the options.
      run: the record.
      folder: that holds the checkpoint; reports go into a folder within.
      given: names of the flags that the user gave.

    Raises:
      UserError: the run's data are no longer where they were.
    """
    data, evaluation = config.data, config.evaluation
    if not data.dataset_dir and run.dataset_dir:
        if not os.path.isdir(run.dataset_dir):
            raise UserError(
                f"{run.dataset_dir}, the data set that the run was trained on, is no"
                " longer there: say with --dataset_dir where it is now"
            )
        data = dataclasses.replace(data, dataset_dir=run.dataset_dir)
    if "eval_dir" not in given and evaluation.eval_dir == shared_folder.DEFAULT:
        eval_dir = os.path.join(folder, _EVAL_FOLDER)
        evaluation = dataclasses.replace(evaluation, eval_dir=eval_dir)
    taken = dataclasses.replace(config, data=data, evaluation=evaluation)
    _tell_of_taken(run_record.FILE_NAME, config, taken)
    return taken


def _tell_of_taken(source: str, before: EvalConfig, after: EvalConfig) -> None:
    """Prints the flags that a record decided, as a command line has them."""
    flags = [
        f"--{name}={shlex.quote(str(value))}"
        for group in ("model", "data", "evaluation")
        for name, value in vars(getattr(after, group)).items()
        if value != getattr(getattr(before, group), name)
    ]
    if flags:
        logging.info("as %s says: %s", source, " ".join(flags))


def completed(config: EvalConfig, record: ModelRecord, given: Set[str]) -> EvalConfig:
    """The options with what the record of the checkpoint says.

    It decides on the net, its preprocessing, `--use_grayscale` and `--labels_offset`,
    and on `--dataset_name` and `--eval_image_size` unless they are given.

    Args:
      config: the options.
      record: of the folder that holds the checkpoint.
      given: names of the flags that the user gave.

    Raises:
      UserError: a given flag contradicts the record.
    """
    data, model = config.data, config.model
    flags: dict[str, Any] = {
        "model_name": model.model_name,
        "use_grayscale": data.use_grayscale,
        "labels_offset": data.labels_offset,
    }
    recorded = {name: getattr(record, name) for name in flags}
    for name in flags:
        if name in given and flags[name] != recorded[name]:
            raise _contradiction(name, flags[name], recorded[name])
    preprocessing = data.preprocessing_name
    if preprocessing and not same_recipe(preprocessing, record.preprocessing_name):
        raise _contradiction(
            "preprocessing_name", preprocessing, record.preprocessing_name
        )
    name = data.dataset_name
    if record.dataset_name and "dataset_name" not in given:
        name = record.dataset_name
    taken = dataclasses.replace(
        config,
        model=dataclasses.replace(model, model_name=record.model_name),
        data=dataclasses.replace(
            data,
            dataset_name=name,
            preprocessing_name=record.preprocessing_name,
            use_grayscale=record.use_grayscale,
            labels_offset=record.labels_offset,
        ),
        evaluation=dataclasses.replace(
            config.evaluation,
            eval_image_size=config.evaluation.eval_image_size or record.image_size,
        ),
    )
    _tell_of_taken(FILE_NAME, config, taken)
    return taken


def with_labels_offset(
    config: EvalConfig, dataset: Dataset, checkpoint: Checkpoint
) -> EvalConfig:
    """The options with the labels offset that makes data fit a published checkpoint."""
    trained = checkpoint_record.num_trained_classes(checkpoint, config.model.model_name)
    if trained is None:
        return config
    offset = checkpoint_record.detected_offset(
        dataset.num_classes, dataset.class_counts, trained
    )
    if not offset:
        return config
    logging.info(
        "the checkpoint is for %d classes and %s has %d, no image of the first:"
        " evaluating with --labels_offset=%d",
        *(trained, dataset.name, dataset.num_classes, offset),
    )
    data = dataclasses.replace(config.data, labels_offset=offset)
    return dataclasses.replace(config, data=data)


def choose_split(
    default: str, splits: Sequence[str], validated: str | None = None
) -> str:
    """The split to evaluate when the user names none.

    Args:
      default: taken when it is there.
      splits: those that are there.
      validated: the split that a run was validated on, if any.

    Returns:
      `default`, else `validated`, else `validation`, else the only split beside
      `train`; `default` again where nothing of the kind is there.
    """
    others = [split for split in splits if split != "train"]
    for choice in (default, validated, "validation"):
        if choice in others:
            return choice
    return others[0] if len(others) == 1 else default


def _contradiction(flag: str, value: object, recorded: object) -> UserError:
    return UserError(
        f"--{flag}={value} contradicts {FILE_NAME} beside the checkpoint, which was"
        f" trained with {recorded}: leave the flag out"
    )


def check_classes(record: ModelRecord, dataset: Dataset, labels_offset: int) -> None:
    """Refuses data whose classes are others, or in another order.

    Raises:
      UserError: a class has another name than the logit that stands for it.
    """
    if record.class_names is None or dataset.class_names is None:
        return
    names = dataset.class_names[labels_offset:]
    if names != record.class_names:
        raise UserError(
            f"{dataset.dataset_dir} has other classes than the checkpoint was trained"
            f" on, as {FILE_NAME} beside it says:"
            f" {first_difference(record.class_names, names)}; evaluate it on data with"
            " its classes, in its order (the converter's --classes_of); if only names"
            f" were changed since, change them back, or in {FILE_NAME} too"
        )
