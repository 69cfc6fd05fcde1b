"""A probe from start to end: one pass, a linear classifier a depth, what follows."""

import dataclasses
import math
import os
from collections.abc import Sequence, Set

import numpy as np
from absl import logging

from checkpoints import model_record, restore, slim_format
from checkpoints import plan as plans
from checkpoints.checkpoint_folder import CheckpointFolder
from checkpoints.model_record import ModelRecord
from checkpoints.scopes import HEAD
from checkpoints.slim_format import Checkpoint
from common.atomic_files import explained_errors
from common.progress import progress
from config.probe_config import ProbeConfig
from datasets import dataset_factory
from datasets.dataset import Dataset
from engine import devices, inputs
from engine.head import linear_head, logistic_regression
from engine.head.linear_classifier import LinearClassifier
from engine.probing import depths, pooled_features, probe_classifiers, probe_report
from engine.probing.depths import Depth
from engine.probing.pooled_features import Examples
from engine.probing.probe_report import Result
from engine.probing.probe_scores import Rise, Score, choose, to_judge
from engine.run import train_setup
from errors import UserError
from nets import nets_factory
from nets.network import Network

_FITS = {
    "logistic": logistic_regression.fit,
    "svm": probe_classifiers.fit_svm,
}
# Depths that get the full classifier: the best of a quick one, and the last.
_MOST_JUDGED = 6
_SHARES = (1 / 8, 1 / 4, 1 / 2, 1)  # of the images, for the learning curve
_STEP = 1  # of the checkpoint that is written


@explained_errors()
def probe(config: ProbeConfig, *, given: Set[str] = frozenset()) -> int:
    """Fits a linear classifier to each depth of a net and says what follows.

    Args:
      config: the options.
      given: names of the flags that the user gave.

    Returns:
      The exit status, 0.

    Raises:
      UserError: wrong input, or data that nothing can be learnt from.
    """
    options = config.probe
    _require_new_folder(options.output_checkpoint_dir)
    devices.make_strategy(1)
    checkpoint = Checkpoint(slim_format.find_checkpoint(options.checkpoint_path or ""))
    data = inputs.with_found_name(config.data, given)
    config = _completed(dataclasses.replace(config, data=data), checkpoint)
    split = inputs.get_dataset(config.data, options.dataset_split_name)
    _require_enough_images(split)
    held_out = _held_out_split(config)
    network = _restored_network(config, split, checkpoint)
    found = depths.find_depths(network)
    examples = _pooled(config, network, found, split)
    held_out_examples = _pooled(config, network, found, held_out) if held_out else None
    scores, last = _judge(config, network, found, examples, held_out_examples)
    chosen = found.index(choose(scores).depth)
    rise = _learning_curve(examples[0][chosen], examples[1], config)
    result = Result(scores, rise, network, split, held_out, checkpoint.path)
    print(probe_report.text(result, config), flush=True)
    if options.output_dir:
        probe_report.write(result, config)
    if options.output_checkpoint_dir:
        record = train_setup.record_of(network, split, config.data)
        _write_checkpoint(network, last, record, options.output_checkpoint_dir)
    return 0


def _require_new_folder(folder: str | None) -> None:
    if folder and os.path.isdir(folder) and slim_format.checkpoints_in(folder):
        raise UserError(
            f"--output_checkpoint_dir={folder} holds checkpoints already: name a new"
            " folder"
        )


def _require_enough_images(split: Dataset) -> None:
    present = sum(count > 0 for count in split.class_counts)
    if present < 2:
        raise UserError(
            f"{split.dataset_dir} has images of {present} class in its split"
            f" {split.split_name}: a classifier needs two or more"
        )
    if max(split.class_counts) < 2:
        raise UserError(
            f"{split.dataset_dir} has one image of each class in its split"
            f" {split.split_name}: to be judged, one class must have two at least"
        )


def _held_out_split(config: ProbeConfig) -> Dataset | None:
    data, name = config.data, config.probe.eval_split_name
    if name is None:
        splits = dataset_factory.available_splits(
            data.dataset_name, data.dataset_dir or ""
        )
        name = "validation" if "validation" in splits else None
    return inputs.get_dataset(data, name) if name else None


def _completed(config: ProbeConfig, checkpoint: Checkpoint) -> ProbeConfig:
    """The options with what `model.json` beside the checkpoint says.

    Raises:
      UserError: a given flag contradicts it.
    """
    source = model_record.read(os.path.dirname(checkpoint.path) or ".")
    data, options = config.data, config.probe
    if source is None:
        name = options.model_name or "inception_v3"
        options = dataclasses.replace(options, model_name=name)
        return dataclasses.replace(config, probe=options)
    model_record.require_agreement(source, {"model_name": options.model_name})
    return dataclasses.replace(
        config,
        probe=dataclasses.replace(
            options,
            model_name=source.model_name,
            train_image_size=options.train_image_size or source.image_size,
        ),
        data=dataclasses.replace(
            data,
            preprocessing_name=data.preprocessing_name or source.preprocessing_name,
            use_grayscale=data.use_grayscale or source.use_grayscale,
        ),
    )


def _restored_network(
    config: ProbeConfig, split: Dataset, checkpoint: Checkpoint
) -> Network:
    """The net for these classes, all but its head from the checkpoint."""
    data, options = config.data, config.probe
    model_name = options.model_name or ""
    network = Network(
        model_name,
        num_classes=inputs.num_classes(split, data),
        image_size=options.train_image_size,
        channels=inputs.num_channels(split, data, model_name),
        precision=config.compute.precision,
    )
    names = plans.choose_restored(
        network.variable_shapes(),
        checkpoint.path,
        checkpoint.shapes,
        exclude_scopes=(HEAD,),
        ignore_missing_vars=False,
        head_scopes=nets_factory.get_entry(model_name).head_scopes,
    )
    restore.restore(network.model_variables, checkpoint, names)
    return network


def _pooled(
    config: ProbeConfig, network: Network, found: Sequence[Depth], split: Dataset
) -> Examples:
    data, options = config.data, config.probe
    parent = options.feature_cache_dir or os.path.join(
        data.dataset_dir or "", "feature_cache"
    )
    return pooled_features.compute(
        network,
        found,
        split,
        inputs.preprocess_fn(data, network, is_training=False),
        preprocessing_name=inputs.preprocessing_name(data, network),
        batch_size=options.batch_size,
        labels_offset=data.labels_offset,
        num_threads=data.num_preprocessing_threads,
        folder_of=lambda key: os.path.join(parent, key),
    )


def _finite(
    found: Sequence[Depth], features: Sequence[np.ndarray]
) -> list[tuple[Depth, int]]:
    """The depths whose features can be fitted, each with its place."""
    kept = []
    for place, (depth, of_depth) in enumerate(zip(found, features, strict=True)):
        if np.isfinite(of_depth).all():
            kept.append((depth, place))
        else:
            logging.warning(
                "%s is left out: its features are not finite for some images",
                depth.end_point,
            )
    if not kept or kept[-1][0] is not found[-1]:
        raise UserError(
            f"the features of {found[-1].end_point}, the net's last depth, are not"
            " finite: the checkpoint's weights are damaged, or --precision is too low"
        )
    return kept


def _judge(
    config: ProbeConfig,
    network: Network,
    found: Sequence[Depth],
    examples: Examples,
    held_out: Examples | None,
) -> tuple[list[Score], LinearClassifier]:
    """The score of each depth, and the last one's classifier."""
    features, labels = examples
    kept = _finite(found, features)
    seed = config.probe.seed
    screened = [
        probe_classifiers.screen(features[i], labels, seed=seed) for _, i in kept
    ]
    judged = to_judge(screened, _MOST_JUDGED)
    fit = _FITS[config.probe.probe_classifier]
    scores = []
    for number, (depth, place) in enumerate(
        progress(kept, total=len(kept), desc="fitting", unit="depth")
    ):
        num_opened = sum(
            int(np.prod(network.model_variables[name].shape))
            for name in depth.after
            if network.model_variables[name].trainable
        )
        if number not in judged:
            accuracy = screened[number]
            error = (accuracy * (1 - accuracy) / len(labels)) ** 0.5
            scores.append(Score(depth, accuracy, error, None, None, num_opened))
            continue
        of_depth = features[place]
        classifier, choice = fit(of_depth, labels, network.num_classes, seed=seed)
        scores.append(
            Score(
                depth,
                choice.accuracy,
                choice.standard_error,
                classifier.accuracy(of_depth, labels),
                classifier.accuracy(held_out[0][place], held_out[1])
                if held_out
                else None,
                num_opened,
            )
        )
    return scores, classifier


def _learning_curve(
    features: np.ndarray, labels: np.ndarray, config: ProbeConfig
) -> Rise:
    """Cross-validated accuracy on an eighth to all of the images."""
    sizes, accuracies, error = [], [], math.nan
    for share in _SHARES:
        size = int(share * len(labels))
        sample, of_sample = logistic_regression.stratified_sample(
            features, labels, size, config.probe.seed
        )
        if size < 4 or len(np.unique(of_sample)) < 2:
            continue
        num_classes = int(labels.max()) + 1
        _, choice = _FITS[config.probe.probe_classifier](
            sample, of_sample, num_classes, seed=config.probe.seed
        )
        if choice.num_examples:
            sizes.append(size)
            accuracies.append(choice.accuracy)
            error = choice.standard_error
    return Rise(tuple(sizes), tuple(accuracies), error)


def _write_checkpoint(
    network: Network, classifier: LinearClassifier, record: ModelRecord, folder: str
) -> None:
    """The net with the classifier as its head, as a run that ended at step 1."""
    linear_head.assign(network, classifier)
    checkpoints = CheckpointFolder(folder, keep=1)
    checkpoints.create(record)
    arrays = {name: v.numpy() for name, v in network.model_variables.items()}
    prefix = checkpoints.save(_STEP, {**arrays, "global_step": np.array(_STEP)})
    logging.info("the last depth's classifier is the head of %s", prefix)
