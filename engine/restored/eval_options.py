"""Flags of evaluation that `model.json` knows better."""

import dataclasses
from collections.abc import Set
from typing import Any

from absl import logging

from checkpoints.model_record import FILE_NAME, ModelRecord, first_difference
from checkpoints.slim_format import Checkpoint
from config.eval_config import EvalConfig
from datasets.dataset import Dataset
from engine.restored import checkpoint_record
from errors import UserError
from preprocessing.preprocessing_factory import same_recipe


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
    return dataclasses.replace(
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
