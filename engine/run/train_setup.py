"""What is decided before a run: its data, net, initial weights and length."""

import dataclasses
import math
import os

import tensorflow as tf
from absl import logging

from checkpoints import model_info, run_info
from checkpoints.checkpoint_folder import CheckpointFolder
from checkpoints.model_info import ModelInfo
from checkpoints.run_info import RunInfo
from cluster.cluster import ALONE, Cluster
from common import storage
from config.shared_options import DataOptions
from config.train_config import TrainConfig
from datasets import input_pipeline
from datasets.dataset import Dataset
from datasets.mixed_in import MixedIn
from engine import inputs
from engine.batch_norm.batch_norm_lag import Lag, lag_of
from engine.batch_norm.recomputation import Recomputation
from engine.cluster.agreement import Agreement
from engine.evaluation.evaluation import make_evaluator
from engine.feature_cache import cached_training, free_memory
from engine.feature_cache.split_network import SplitNetwork
from engine.run import mixing_in, rerun, warm_start
from engine.run.background import BackgroundWriter
from engine.run.initial_weights import Start, find_start, restore_start
from engine.run.validation import BEST_FOLDER, Validation, read_history
from engine.step import run_length
from engine.step.run_length import RunLength
from engine.step.train_state import TrainState
from errors import UserError
from nets.network import Network
from nets.new_head import NewHead

CHECKPOINTS_KEPT = 5  # slim's number


@dataclasses.dataclass(frozen=True)
class Setup:
    """What is decided about a run before its weights are restored.

    Attributes:
      dataset: the training split.
      mixed_in: a second split, whose images share the batches; None without one.
      validation_dataset: the split to evaluate during training; None without one.
      network: the net, whose weights are neither drawn nor restored yet.
      folder: the folder of the run's checkpoints.
      model_info: the contents of model.json.
      run_info: the contents of run.json: the flags and the data.
      changes: one line per flag that differs from the last command in this folder.
      start: what will be restored, trained and frozen.
      lag: whether the batch-norm statistics lag behind the weights.
      split: the net as a frozen and a trained part; None without a feature cache.
      length: how long the run is.
      cluster: the machines that train together, of which the chief writes.
      filled_by: the machines that fill a feature cache, of which the chief trains.
    """

    dataset: Dataset
    mixed_in: MixedIn | None
    validation_dataset: Dataset | None
    network: Network
    folder: CheckpointFolder
    model_info: ModelInfo
    run_info: RunInfo
    changes: list[str]
    start: Start
    lag: Lag
    split: SplitNetwork | None
    length: RunLength
    cluster: Cluster = ALONE
    filled_by: Cluster = ALONE

    @property
    def images_per_step(self) -> int:
        """Images per step, over all devices."""
        return self.length.images_per_step

    @property
    def all_read(self) -> Dataset:
        """The files behind all training batches, to search them for a bad record."""
        others = self.mixed_in.dataset.shards if self.mixed_in else ()
        return dataclasses.replace(self.dataset, shards=(*self.dataset.shards, *others))

    @property
    def last_step(self) -> int | None:
        """The step to stop at; None to train until interrupted."""
        return self.length.last_step


def prepare(
    config: TrainConfig,
    strategy: tf.distribute.Strategy,
    cluster: Cluster = ALONE,
    filled_by: Cluster = ALONE,
) -> Setup:
    """Finds the data, builds the net and decides where to start; writes nothing.

    Args:
      config: the options.
      strategy: the devices.
      cluster: the machines that they belong to.
      filled_by: see `Setup`.

    Raises:
      UserError: an option does not fit the data, the net or the checkpoint.
    """
    train_dir = config.run.train_dir
    options = config.train_data
    dataset = inputs.get_dataset(
        config.data, options.dataset_split_name, num_examples=options.num_examples
    )
    if config.train_data.sampling == "balanced":
        _check_balanced(dataset, config)
    network = _make_network(config, strategy, dataset)
    info = info_of(network, dataset, config.data)
    _check_same_model(train_dir, info)
    folder = CheckpointFolder(train_dir, keep=CHECKPOINTS_KEPT)
    length = run_length.of(config, dataset.num_examples, cluster.size)
    mixed_in = mixing_in.of_run(config, length)
    start = find_start(network, folder, config.fine_tune)
    warm_start.check(start, info, config.fine_tune)
    earlier, now = (
        run_info.read(train_dir),
        rerun.info_of(config, dataset, mixed_in, cluster.size),
    )
    rerun.require_same_run(train_dir, earlier, now, start)
    _warn_of_missing_files(train_dir, start)
    split = None
    if config.feature_cache.feature_cache != "off":
        split = cached_training.split_network(
            *(network, start.plan, config),
            is_training=not config.fine_tune.solves_head,
        )
    return Setup(
        dataset=dataset,
        mixed_in=mixed_in,
        validation_dataset=_validation_dataset(config, start),
        network=network,
        folder=folder,
        model_info=info,
        run_info=now,
        changes=rerun.changes(earlier, now, start, length.last_step),
        start=start,
        lag=lag_of(network, start.plan, config.fine_tune.batch_norm_decay),
        split=split,
        length=length,
        cluster=cluster,
        filled_by=filled_by,
    )


def _make_network(
    config: TrainConfig, strategy: tf.distribute.Strategy, dataset: Dataset
) -> Network:
    tf.random.set_seed(config.run.seed)  # a deterministic run has no ops without one
    with strategy.scope():
        network = Network(
            config.model.model_name,
            num_classes=inputs.num_classes(dataset, config.data),
            image_size=config.train_data.train_image_size,
            channels=inputs.num_channels(dataset, config.data, config.model.model_name),
            precision=config.compute.precision,
            head=NewHead(config.model.final_endpoint, config.model.hidden_units),
            draw_weights=False,
        )
    # Only to raise an error now if --preprocessing_name is unknown.
    inputs.preprocess_fn(config.data, network, is_training=True)
    return network


def _validation_dataset(config: TrainConfig, start: Start) -> Dataset | None:
    """The split to evaluate, checked to be the one that the run evaluated so far."""
    if not config.validation.eval_split_name:
        return None
    dataset = inputs.get_dataset(config.data, config.validation.eval_split_name)
    read_history(config.run.train_dir, dataset, start.step)
    return dataset


def _check_balanced(dataset: Dataset, config: TrainConfig) -> None:
    """Refuses balanced sampling from a split that is too large for memory.

    Raises:
      UserError: it does not fit.
    """
    num_bytes = sum(shard.num_bytes for shard in dataset.shards)
    # Recomputing batch-norm statistics loads it a second time.
    needed, free = 2 * num_bytes, free_memory.available_bytes()
    if config.feature_cache.feature_cache == "off" and needed > free:
        raise UserError(
            f"--sampling=balanced keeps split {dataset.split_name!r} in memory, which"
            f" takes {needed / 1e6:,.0f} MB, but only {free / 1e6:,.0f} MB are free:"
            " use --class_weights=balanced instead, which takes no memory"
        )


def info_of(network: Network, dataset: Dataset, data: DataOptions) -> ModelInfo:
    """The contents of model.json for a net trained on this data."""
    names = dataset.class_names
    return ModelInfo(
        model_name=network.model_name,
        image_size=network.image_size,
        use_grayscale=data.use_grayscale,
        preprocessing_name=inputs.preprocessing_name(data, network),
        labels_offset=data.labels_offset,
        dataset_name=data.dataset_name,
        num_classes=network.num_classes,
        class_names=names[data.labels_offset :] if names else None,
        bits=dataset.bits,
        final_endpoint=network.head.final_endpoint,
        head_hidden_units=network.head.hidden_units,
    )


def _check_same_model(train_dir: str, info: ModelInfo) -> None:
    """Refuses to train another net, or for other classes, in the folder of a run.

    A run that ended before its first checkpoint left nothing to protect.

    Raises:
      UserError: it is so.
    """
    folders = train_dir, os.path.join(train_dir, BEST_FOLDER)
    if not any(CheckpointFolder(f, keep=1).has_checkpoint() for f in folders):
        return
    earlier = model_info.read(train_dir)
    differences = info.differences(earlier) if earlier else []
    if differences:
        raise UserError(
            f"--train_dir={train_dir} holds a run with other settings:"
            f" {'; '.join(differences)}; use another --train_dir, or the flags of that"
            " run"
        )


def _warn_of_missing_files(train_dir: str, start: Start) -> None:
    """Warns where it is unknown whether a run resumes with its own data and flags."""
    names = [model_info.FILE_NAME, run_info.FILE_NAME]
    missing = [n for n in names if not storage.exists(os.path.join(train_dir, n))]
    if start.resumes and missing:
        logging.warning(
            "%s has no %s, as after training with slim or an older release: whether the"
            " run was trained on this data and with these flags cannot be checked",
            *(train_dir, " and no ".join(missing)),
        )


def restored_state(
    setup: Setup, config: TrainConfig, strategy: tf.distribute.Strategy
) -> TrainState:
    """Creates the state with its values, restored as `setup.start` decided, or drawn.

    Everything that reads weights takes the state as an argument, so that it cannot come
    before this.
    """
    setup.network.draw_all_but(setup.start.plan.restored_names, config.run.seed)
    with strategy.scope():
        state = TrainState(
            *(setup.network, setup.start.plan, config),
            num_examples=setup.dataset.num_examples,
            num_machines=setup.cluster.size,
        )
    restore_start(state, setup.start, config.fine_tune)
    return state


def make_validation(
    setup: Setup,
    config: TrainConfig,
    state: TrainState,
    *,
    recomputation: Recomputation,
    writer: BackgroundWriter,
    agreement: Agreement,
    secs_between_lines: float,
) -> Validation | None:
    """Validation on `--eval_split_name`; None without one."""
    options = config.validation
    if setup.validation_dataset is None:
        return None
    dataset = setup.validation_dataset
    if setup.split:
        evaluator = cached_training.make_evaluator(
            *(state.network, state.plan, dataset, config, setup.split, setup.filled_by)
        )
    else:
        evaluator = make_evaluator(
            *(state.network, dataset, config.data),
            batch_size=input_pipeline.even_batch_size(
                dataset.num_examples, config.train_data.batch_size
            ),
            cluster=setup.cluster,
            agreement=agreement,
        )
    steps_per_epoch = setup.length.steps_per_epoch
    return Validation(
        state,
        evaluator,
        recomputation,
        writer,
        train_dir=config.run.train_dir,
        info=setup.model_info,
        dataset=dataset,
        every_n_steps=options.eval_every_n_steps or math.ceil(steps_per_epoch),
        patience=options.early_stopping_patience,
        writes=setup.cluster.is_chief,
        secs_between_lines=secs_between_lines,
    )
