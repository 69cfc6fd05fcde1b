"""A probe from start to finish: one pass, a linear classifier per depth, advice."""

import dataclasses
import math
import os
import tempfile
from collections.abc import Sequence, Set

import numpy as np
import tensorflow as tf
from absl import logging

from checkpoints import model_info, restore, restored_names, slim_format
from checkpoints.checkpoint_folder import CheckpointFolder
from checkpoints.model_info import ModelInfo
from checkpoints.scopes import HEAD
from checkpoints.slim_format import Checkpoint
from common import storage
from common.atomic_files import explained_errors, scratch_directory
from config.probe_config import ProbeConfig
from datasets import dataset_factory, input_pipeline
from datasets.dataset import Dataset
from engine import devices, inputs
from engine.feature_cache import cached_training, feature_cache
from engine.head import linear_head
from engine.probing import (
    depths,
    judging,
    opening,
    pooled_features,
    probe_report,
    trials,
)
from engine.probing.depths import Depth
from engine.probing.pooled_features import Examples, FeaturesFn
from engine.probing.probe_report import Result
from engine.probing.probe_scores import choose
from engine.probing.trials import Trial
from engine.run import train_setup
from errors import UserError
from nets import nets_factory, new_head
from nets.network import Network
from nets.new_head import OWN_HEAD, NewHead

_STEP = 1  # global step of the checkpoint that is written


@explained_errors()
def probe(config: ProbeConfig, *, given: Set[str] = frozenset()) -> int:
    """Fits a linear classifier to each depth of a net, and reports the results.

    Args:
      config: the options.
      given: names of the flags on the command line.

    Returns:
      The exit status, 0.

    Raises:
      UserError: the flags, the checkpoint or the data are unusable.
    """
    options = config.probe
    _require_new_folder(options.output_checkpoint_dir)
    devices.choose_kernels(config.compute)
    strategy = devices.make_strategy(1)
    checkpoint = Checkpoint(slim_format.find_checkpoint(options.checkpoint_path or ""))
    data = inputs.with_found_name(config.data, given)
    config = _completed(dataclasses.replace(config, data=data), checkpoint)
    split = inputs.get_dataset(config.data, options.dataset_split_name)
    _require_enough_images(split)
    held_out = _held_out_split(config)
    network = _restored_network(config, split, checkpoint)
    found = depths.find_depths(network)
    features_fn = pooled_features.features_fn(network, found)
    # One size for both splits, as another one would be traced again.
    size = input_pipeline.even_batch_size(split.num_examples, options.batch_size)
    examples = _pooled(config, network, found, split, features_fn, size)
    held_out_examples = (
        _pooled(config, network, found, held_out, features_fn, size)
        if held_out
        else None
    )
    scores, last = judging.judge(config, network, found, examples, held_out_examples)
    chosen = choose(scores)
    features = examples[0][found.index(chosen.depth)]
    rise = judging.learning_curve(features, examples[1], chosen, config)
    result = Result(scores, rise, network, split, held_out, checkpoint.path)
    if end := result.better_end:
        of_end = config, network, end, found.index(end)
        _keep_for_end(*of_end, split, examples)
        if held_out and held_out_examples:
            _keep_for_end(*of_end, held_out, held_out_examples)
    info = train_setup.info_of(network, split, config.data)
    if options.trial_secs or options.output_checkpoint_dir:
        linear_head.assign(network, last)
    if options.trial_secs:
        tried = _tried(result, config, strategy, info)
        result = dataclasses.replace(result, trials=tried)
    print(probe_report.text(result, config), flush=True)
    if options.output_dir:
        probe_report.write(result, config)
    if options.output_checkpoint_dir:
        prefix = _write_checkpoint(network, info, options.output_checkpoint_dir)
        logging.info("the last depth's classifier is the head of %s", prefix)
    return 0


def _require_new_folder(folder: str | None) -> None:
    if folder and storage.is_folder(folder) and slim_format.checkpoints_in(folder):
        raise UserError(
            f"--output_checkpoint_dir={folder} holds checkpoints already: name a new"
            " folder"
        )


def _require_enough_images(split: Dataset) -> None:
    present = sum(count > 0 for count in split.class_counts)
    if present < 2:
        raise UserError(
            f"{split.dataset_dir} has images of {present} class in its split"
            f" {split.split_name}: a classifier needs at least two classes"
        )
    if max(split.class_counts) < 2:
        raise UserError(
            f"{split.dataset_dir} has one image of each class in its split"
            f" {split.split_name}: cross-validation needs a class with at least two"
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
    """The options, completed from the checkpoint's `model.json`.

    Raises:
      UserError: a flag contradicts it.
    """
    source = model_info.read(os.path.dirname(checkpoint.path) or ".")
    data, options = config.data, config.probe
    if source is None:
        name = options.model_name or "inception_v3"
        options = dataclasses.replace(options, model_name=name)
        return dataclasses.replace(config, probe=options)
    model_info.require_agreement(source, {"model_name": options.model_name})
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
    """The net for these classes, restored from the checkpoint, with a new head."""
    data, options = config.data, config.probe
    model_name = options.model_name or ""
    network = Network(
        model_name,
        num_classes=inputs.num_classes(split, data),
        image_size=options.train_image_size,
        channels=inputs.num_channels(split, data, model_name),
        precision=config.compute.precision,
        head=_head_of(checkpoint),
        draw_weights=False,
    )
    names = restored_names.choose(
        network.variable_shapes(),
        checkpoint.path,
        checkpoint.shapes,
        exclude_scopes=(HEAD,),
        ignore_missing_vars=False,
        head_scopes=network.head_scopes,
    )
    restore.restore(network.model_variables, checkpoint, names)
    network.draw_all_but(names, options.seed)
    return network


def _head_of(checkpoint: Checkpoint) -> NewHead:
    """The head of the net, from the checkpoint's `model.json`."""
    source = model_info.read(os.path.dirname(checkpoint.path) or ".")
    if source is None:
        return OWN_HEAD
    return NewHead(source.final_endpoint, source.head_hidden_units)


def _pooled(
    config: ProbeConfig,
    network: Network,
    found: Sequence[Depth],
    split: Dataset,
    features_fn: FeaturesFn,
    batch_size: int,
) -> Examples:
    data, options = config.data, config.probe
    parent = feature_cache.folder_of_all(options.feature_cache_dir, data.dataset_dir)
    features, labels = pooled_features.compute(
        network,
        found,
        split,
        features_fn,
        inputs.preprocess_fn(data, network, is_training=False),
        preprocessing_name=inputs.preprocessing_name(data, network),
        batch_size=batch_size,
        labels_offset=data.labels_offset,
        num_threads=data.num_preprocessing_threads,
        folder_of=lambda key: os.path.join(parent, key),
    )
    last = found[-1]
    if math.prod(last.shape) == last.num_features:  # the head reads them pooled
        _keep(
            *(config, network, split, last),
            *(features[-1].reshape(-1, *last.shape), labels),
            frontier=last.tensor_name,
            head=network.head,
        )
    return features, labels


def _keep_for_end(
    config: ProbeConfig,
    network: Network,
    depth: Depth,
    place: int,
    split: Dataset,
    examples: Examples,
) -> None:
    """Keeps what the head of the net that ends at a depth reads.

    Args:
      config: the options.
      network: the whole net.
      depth: where the other net ends.
      place: its place among the depths.
      split: the split.
      examples: the features of all depths.
    """
    if network.precision != "float32":
        return  # that net pools in its own precision, the probe in float32
    head = NewHead(depth.end_point)
    (scope,) = nets_factory.head_scopes(network.model_name, head)
    _keep(
        *(config, network, split, depth, examples[0][place], examples[1]),
        frontier=new_head.features_name(scope),
        head=head,
    )


def _keep(
    config: ProbeConfig,
    network: Network,
    split: Dataset,
    depth: Depth,
    features: np.ndarray,
    labels: np.ndarray,
    *,
    frontier: str,
    head: NewHead,
) -> None:
    """Keeps features so that training a head on them need not compute them again."""
    cached_training.keep(
        *(features, labels, network, frontier, depth.before, split, config.data),
        config.probe.feature_cache_dir,
        head=head,
    )


def _tried(
    result: Result,
    config: ProbeConfig,
    strategy: tf.distribute.Strategy,
    info: ModelInfo,
) -> list[Trial]:
    """Trains from the solved head for --trial_secs, in a temporary folder.

    Raises:
      UserError: there is no split to compare on, or too little time.
    """
    if result.held_out is None:
        raise UserError(
            "--trial_secs compares on a split that is not trained on, but"
            f" {result.split.dataset_dir} has no split validation: name one with"
            " --eval_split_name"
        )
    if result.scores[-1].held_out_accuracy == 1:
        logging.info(
            "no trials: the solved head classifies every held-out image correctly"
        )
        return []
    parent = config.probe.output_dir or tempfile.gettempdir()
    storage.make_folders(parent)
    with scratch_directory(parent, "trials") as folder:
        start = os.path.join(folder, "start")
        _write_checkpoint(result.network, info, start)
        configs = {
            depth: opening.train_config(
                config,
                scopes=",".join(opening.scopes(depth, result.network)),
                start=start,
                train_dir=os.path.join(folder, depth.end_point),
                eval_split_name=result.held_out.split_name,
            )
            for depth in trials.candidates(result.scores)
        }
        return trials.run(configs, config.probe.trial_secs or 0.0, strategy)


def _write_checkpoint(network: Network, info: ModelInfo, folder: str) -> str:
    """Writes the net with its solved head, as of step 1, and returns its prefix."""
    checkpoints = CheckpointFolder(folder, keep=1)
    checkpoints.create(info)
    arrays = {name: v.numpy() for name, v in network.model_variables.items()}
    return checkpoints.save(_STEP, {**arrays, "global_step": np.array(_STEP)})
