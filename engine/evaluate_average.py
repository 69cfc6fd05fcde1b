"""Evaluation of averages: of several checkpoints' probabilities, of several views."""

import dataclasses
import os
from collections.abc import Sequence, Set
from typing import Any

import tensorflow as tf
from absl import logging

from checkpoints import model_info, shared_folder, slim_format
from checkpoints.slim_format import Checkpoint
from common import storage
from config.eval_config import EvalConfig
from config.options import split_list
from config.predict_config import NetOptions
from datasets import input_pipeline
from datasets.dataset import Dataset
from engine import devices
from engine.evaluation.evaluation import Evaluator
from engine.prediction import ensemble as ensembles
from engine.prediction.ensemble import Ensemble
from engine.report import evaluation_output
from engine.report.reports import Reporter
from engine.restored import checkpoint_info, classifier, eval_options
from engine.restored.classifier import Classifier
from errors import UserError


def evaluate(config: EvalConfig, paths: Sequence[str], given: Set[str]) -> int:
    """Evaluates the mean probabilities of checkpoints and views, as prediction does.

    Args:
      config: the options.
      paths: the entries of `--checkpoint_path`.
      given: names of the flags that the user gave.

    Returns:
      The exit status, 0.

    Raises:
      UserError: wrong input, or outputs that are not finite (`NotFiniteError`).
    """
    options = config.evaluation
    _check(config, paths)
    for path in paths:
        shared_folder.require_own(path, flag="checkpoint_path")
    checkpoints = [Checkpoint(path) for path in slim_format.find_checkpoints(paths)]
    folder = os.path.dirname(checkpoints[0].path) or "."
    config, given, validated = eval_options.located(config, folder, given)
    config = _with_name_of_data(config, folder, given)
    devices.choose_kernels(config.compute)
    devices.make_strategy(1)
    members = [
        classifier.load(
            path,
            _net_options(config, given, checkpoint),
            use_moving_average=bool(options.moving_average_decay),
            precision=config.compute.precision,
        )
        for path, checkpoint in zip(paths, checkpoints, strict=True)
    ]
    ensembles.require_same_classes(members, paths)
    offset = members[0].info.labels_offset
    data = dataclasses.replace(config.data, labels_offset=offset)
    config = dataclasses.replace(config, data=data)
    dataset = eval_options.find_split(config, "dataset_split_name" in given, validated)
    for member, path in zip(members, paths, strict=True):
        _require_fit(member, path, dataset)
    _report(config, Ensemble(members, split_list(options.tta)), checkpoints, dataset)
    return 0


def _check(config: EvalConfig, paths: Sequence[str]) -> None:
    what = "several checkpoints" if len(paths) > 1 else "views of each image (--tta)"
    if config.evaluation.eval_interval_secs is not None:
        raise UserError(
            f"--eval_interval_secs watches a folder, but the average of {what} is"
            " evaluated once: omit one of them"
        )
    if config.evaluation.eval_dir == shared_folder.DEFAULT:
        raise UserError(
            f"--eval_dir is missing: the results of the average of {what} need a"
            " separate folder, apart from those of a single checkpoint"
        )


def _with_name_of_data(config: EvalConfig, folder: str, given: Set[str]) -> EvalConfig:
    """The options with the name of the data in `model.json`, where no flag has it."""
    info = model_info.read(folder)
    if "dataset_name" in given or not (info and info.dataset_name):
        return config
    data = dataclasses.replace(config.data, dataset_name=info.dataset_name)
    return dataclasses.replace(config, data=data)


def _net_options(
    config: EvalConfig, given: Set[str], checkpoint: Checkpoint
) -> NetOptions:
    """What the flags say of a checkpoint; of its classes, where nothing else does."""
    flags: dict[str, Any] = {
        "model_name": config.model.model_name,
        "final_endpoint": config.model.final_endpoint,
        "head_hidden_units": config.model.head_hidden_units,
        "preprocessing_name": config.data.preprocessing_name,
        "use_grayscale": config.data.use_grayscale,
        "labels_offset": config.data.labels_offset,
    }
    taken = {name: value for name, value in flags.items() if name in given}
    info = model_info.read(os.path.dirname(checkpoint.path) or ".")
    if info is None or info.class_names is None:
        taken["dataset_name"] = config.data.dataset_name
        taken["dataset_dir"] = config.data.dataset_dir
    return NetOptions(image_size=config.evaluation.eval_image_size, **taken)


def _require_fit(member: Classifier, path: str, dataset: Dataset) -> None:
    """Refuses data with other classes, or with colors if the net takes gray images."""
    info = member.info
    checkpoint_info.require_same_classes(
        *(info, dataset, info.labels_offset), remedy=eval_options.SAME_CLASSES
    )
    num_classes = dataset.num_classes - info.labels_offset
    if num_classes != info.num_classes:
        raise UserError(
            f"{path} is for {info.num_classes} classes, but {dataset.name} has"
            f" {num_classes}: {eval_options.SAME_CLASSES}"
        )
    blank = tf.zeros([32, 32, dataset.num_channels], tf.uint8)
    channels = member.preprocess(blank).shape[-1]
    if channels != member.network.input_shape[-1]:
        raise UserError(
            f"{path} takes images of {member.network.input_shape[-1]} channel, but"
            f" those of {dataset.name} have {channels}: evaluate it on gray images"
        )


def _report(
    config: EvalConfig,
    ensemble: Ensemble,
    checkpoints: Sequence[Checkpoint],
    dataset: Dataset,
) -> None:
    options, data = config.evaluation, config.data
    nets = dict.fromkeys(member.info.model_name for member in ensemble.members)
    reporter = Reporter(
        options.eval_dir,
        dataset,
        model_name=" + ".join(nets),
        labels_offset=data.labels_offset,
        with_page=options.report,
        gallery=options.gallery,
    )
    batches = input_pipeline.eval_batches(
        dataset,
        lambda photo, _: ensemble.views(lambda _: photo),
        batch_size=eval_options.batch_size(options, dataset.num_examples),
        labels_offset=data.labels_offset,
        num_threads=data.num_preprocessing_threads,
    )
    evaluator = Evaluator(
        dataset,
        batches,
        lambda batch: ensemble.log_probabilities(batch["image"]),
        labels_offset=data.labels_offset,
    )
    steps = [checkpoint.global_step or 0 for checkpoint in checkpoints]
    named = [f"{c.path} at step {s}" for c, s in zip(checkpoints, steps, strict=True)]
    views = f", views of --tta={options.tta}" if options.tta else ""
    source = f"mean probabilities of {', '.join(named)}{views}"
    logging.info("Evaluating the %s", source)
    evaluation_output.give(
        evaluator.run(options.max_num_batches),
        dataset,
        reporter,
        source=source,
        checkpoint_path=",".join(storage.absolute(c.path) for c in checkpoints),
        step=max(steps),
        uses_moving_average=bool(options.moving_average_decay),
        tta=options.tta,
    )
