"""What a training run reads, images or cached features, and what runs the net on it."""

import dataclasses
import functools
from collections.abc import Callable, Iterator

import tensorflow as tf
from absl import logging

from checkpoints.plan import Plan
from config.train_config import TrainConfig
from datasets import input_pipeline
from datasets.input_pipeline import TrainExamples
from datasets.mixed_in import MixedIn
from engine import inputs
from engine.batch_norm import population_statistics
from engine.batch_norm import recomputation as recomputations
from engine.batch_norm.population_statistics import Moments, MomentsFn
from engine.batch_norm.recomputation import Recomputation
from engine.feature_cache import cached_batches, cached_training
from engine.feature_cache.feature_cache import FeatureCache
from engine.feature_cache.split_network import SplitNetwork
from engine.run import train_setup
from engine.run.train_setup import Setup
from engine.step.randomness import step_seed
from engine.step.train_state import TrainState
from engine.step.train_step import RunNetwork, Tensors
from nets.network import Network

BatchesFn = Callable[..., tf.data.Dataset]  # see `_image_batches`

_NUM_SAMPLES = 4  # images for TensorBoard


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What a run trains on.

    Attributes:
      batches: the training batches, starting with the run's next step.
      run_network: runs the net on a batch.
      other_batches: from a seed and a number of steps to batches for one device, in
        another order, made up like that of the last of these steps.
      make_moments_fn: makes the function from one of the `other_batches` to its moments
        at every batch norm; called only when needed, as tracing takes a while.
      sample_images: from a step to a few training images as the net sees them, `[4, h,
        w, c]` float32.
      cache: the cached features; None without a feature cache.
    """

    batches: tf.data.Dataset
    run_network: RunNetwork
    other_batches: Callable[[int, int], tf.data.Dataset]
    make_moments_fn: Callable[[], MomentsFn]
    sample_images: Callable[[int], tf.Tensor]
    cache: FeatureCache | None = None


def make_inputs(setup: Setup, config: TrainConfig, state: TrainState) -> Inputs:
    """The training batches, and the function that runs the net on them.

    A feature cache is filled first.

    Args:
      setup: what was decided about the run.
      config: the options.
      state: holds the restored weights, from which cached features are computed.
    """
    if setup.split is None:
        return _of_images(setup, config)
    return _of_features(setup, config, state, setup.split)


def _of_images(setup: Setup, config: TrainConfig) -> Inputs:
    image_batches = functools.partial(
        _image_batches, setup, config, _examples(setup, config)
    )
    batch_size, seed = config.train_data.batch_size, config.run.seed
    is_balanced, plan = _is_balanced(config), setup.start.plan
    return Inputs(
        image_batches(
            *(setup.images_per_step, seed, setup.start.step),
            is_balanced=is_balanced,
            mixed_in=setup.mixed_in,
            part=(setup.cluster.rank, setup.cluster.size),
        ),
        whole_network(setup.network, plan, config),
        lambda seed, step: image_batches(
            *(batch_size, seed),
            is_balanced=is_balanced,
            mixed_in=setup.mixed_in and setup.mixed_in.of_batch(step - 1),
        ),
        lambda: population_statistics.moments_fn(
            *(setup.network, plan.frozen_batch_norms, batch_size, plan.trained_names)
        ),
        functools.partial(_sample_images, image_batches, seed),
    )


def _of_features(
    setup: Setup,
    config: TrainConfig,
    state: TrainState,
    split: SplitNetwork,
) -> Inputs:
    batch_size, seed = config.train_data.batch_size, config.run.seed
    cache = cached_training.filled_cache(
        split,
        state.network,
        state.plan,
        setup.dataset,
        config,
        is_training=True,
        cluster=setup.filled_by,
    )

    def batches(batch_size: int, seed: int, start_batch: int = 0) -> tf.data.Dataset:
        return cached_batches.train_batches(
            cache,
            num_examples=setup.dataset.num_examples,
            batch_size=batch_size,
            seed=seed,
            start_batch=start_batch,
            is_balanced=_is_balanced(config),
        )

    return Inputs(
        batches(setup.images_per_step, seed, setup.start.step),
        lambda batch, seed: split.finish(batch["features"], seed),
        lambda seed, _: batches(batch_size, seed),
        lambda: lambda batch, seed: split.moments(batch["features"], seed),
        # The images are needed for nothing else, so they are not kept.
        lambda step: _sample_images(
            functools.partial(_image_batches, setup, config, _examples(setup, config)),
            *(seed, step),
        ),
        cache,
    )


def fill_share(
    setup: Setup, config: TrainConfig, strategy: tf.distribute.Strategy
) -> None:
    """Computes this machine's share of the features, for the chief to train on."""
    state = train_setup.restored_state(setup, config, strategy)
    for dataset in (setup.dataset, setup.validation_dataset):
        if dataset is None:
            continue
        is_training = dataset is setup.dataset
        split = setup.split
        if split is None or not is_training:
            split = cached_training.split_network(
                *(state.network, state.plan, config), is_training=is_training
            )
        cached_training.filled_cache(
            *(split, state.network, state.plan, dataset, config),
            is_training=is_training,
            cluster=setup.filled_by,
        )
    logging.info("the features of this machine are computed; the chief trains on them")


def whole_network(network: Network, plan: Plan, config: TrainConfig) -> RunNetwork:
    """Runs the whole net on batches with an "image", `[batch, h, w, c]` float32."""

    def run(batch: Tensors, seed: tf.Tensor) -> tuple[tf.Tensor, Tensors]:
        return network(
            batch["image"],
            is_training=True,
            frozen_batch_norms=plan.frozen_batch_norms,
            trained_names=plan.trained_names,
            batch_norm_decay=config.fine_tune.batch_norm_decay,
            dropout_seed=seed,
        )

    return run


def make_recomputation(
    setup: Setup, config: TrainConfig, state: TrainState, read: Inputs
) -> Recomputation:
    """Makes what recomputes the statistics of the run's batch norms."""
    num_batches = recomputations.num_batches(
        setup.dataset.num_examples, config.train_data.batch_size
    )

    moments_fn = functools.cache(read.make_moments_fn)

    def moments_at(step: int) -> Callable[[], Iterator[Moments]]:
        # With another seed than training, whose order it must not repeat. It begins at
        # the start of an epoch, so that no batches need to be skipped.
        seed = config.run.seed + step
        return functools.partial(
            recomputations.moments_of,
            read.other_batches(seed, step),
            num_batches,
            moments_fn(),
            step_seed(config.run.seed, tf.constant(step, tf.int64), 0),
            config.augmentation,
            setup.network.num_classes,
        )

    option = recomputations.resolved(config.fine_tune)
    return Recomputation(state, setup.lag, option, moments_at)


def _examples(setup: Setup, config: TrainConfig) -> TrainExamples:
    preprocess_fn = inputs.preprocess_fn(
        config.data,
        setup.network,
        is_training=_num_views(setup, config) != 1,
        augmentation=config.augmentation,
    )
    return TrainExamples(
        setup.dataset,
        preprocess_fn,
        seed=config.run.seed,
        labels_offset=config.data.labels_offset,
        num_readers=config.train_data.num_readers,
    )


def _image_batches(
    setup: Setup,
    config: TrainConfig,
    examples: TrainExamples,
    batch_size: int,
    seed: int,
    start_batch: int = 0,
    *,
    is_balanced: bool,
    mixed_in: MixedIn | None = None,
    part: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    return input_pipeline.train_batches(
        examples,
        batch_size=batch_size,
        seed=seed,
        num_threads=config.data.num_preprocessing_threads,
        start_batch=start_batch,
        num_views=_num_views(setup, config),
        is_balanced=is_balanced,
        mixed_in=mixed_in,
        part=part,
        shuffles_whole=_shuffles_whole(setup, config),
    )


def _shuffles_whole(setup: Setup, config: TrainConfig) -> bool:
    """Whether a split that memory does not hold is shuffled as a whole."""
    data = config.train_data
    if data.shuffle is None:
        return not setup.cluster.is_alone or data.global_batch_size is not None
    return data.shuffle == "whole"


def _sample_images(image_batches: BatchesFn, seed: int, step: int) -> tf.Tensor:
    # Whatever the sampling: balanced, it would keep the whole split in memory.
    batches = image_batches(_NUM_SAMPLES, seed, step, is_balanced=False)
    return next(iter(batches))["image"]


def _is_balanced(config: TrainConfig) -> bool:
    return config.train_data.sampling == "balanced"


def samples_tag(setup: Setup, config: TrainConfig) -> str:
    """The TensorBoard tag of `sample_images`: as augmented, or as in evaluation."""
    is_augmented = _num_views(setup, config) != 1
    return f"samples/{'augmented' if is_augmented else 'as_in_evaluation'}"


def _num_views(setup: Setup, config: TrainConfig) -> int | None:
    """Views of each image, a single one not augmented; None for a new one each time."""
    views = config.feature_cache.feature_cache_views
    if setup.split and views is None:
        return cached_training.num_views(config)
    return views
