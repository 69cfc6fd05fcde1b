"""Training and validation on cached features instead of images."""

import functools
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from checkpoints.plan import Plan
from cluster.cluster import ALONE, Cluster
from config.shared_options import DataOptions
from config.train_config import TrainConfig
from config.training.feature_cache_options import FeatureCacheOptions
from datasets import input_pipeline
from datasets.dataset import Dataset
from datasets.records import record_faults
from engine import inputs
from engine.evaluation.evaluation import Evaluator
from engine.feature_cache import cached_batches, feature_cache
from engine.feature_cache.feature_cache import FeatureCache, LabeledFeatures
from engine.feature_cache.shared_filling import SharedFilling
from engine.feature_cache.split_network import SplitNetwork
from errors import UserError
from nets.network import Network
from nets.new_head import NewHead

# Images per batch through the frozen part, or training's batch size if larger: smaller
# batches are slower, see benchmarks/README.md.
_LEAST_FILL_BATCH_SIZE = 16

FeaturesFn = Callable[[tf.Tensor], list[tf.Tensor]]


def split_network(
    network: Network,
    plan: Plan,
    config: TrainConfig,
    *,
    is_training: bool,
    batch_size: int | None = None,
) -> SplitNetwork:
    """The net, split into its frozen and its trained part.

    Args:
      network: the net.
      plan: what is trained.
      config: the options.
      is_training: see `Network.__call__`.
      batch_size: images per call; by default training's.

    Raises:
      UserError: no part of it is frozen.
    """
    split = SplitNetwork(
        network,
        plan,
        batch_size=batch_size or config.train_data.batch_size,
        is_training=is_training,
        batch_norm_decay=config.fine_tune.batch_norm_decay,
    )
    if not split.frozen_variables:
        raise UserError(
            "--feature_cache has nothing to keep: no layer is frozen; name what to"
            " train with --trainable_scopes, or leave out --freeze_batch_norm=false"
        )
    return split


def num_views(config: TrainConfig) -> int:
    """Number of views of each image in the cache."""
    return config.feature_cache.feature_cache_views or 1


def savings_as_text(split: SplitNetwork, num_examples: int, config: TrainConfig) -> str:
    """What is cached and how much that saves, for the plan."""
    dtype = tf.as_dtype(config.feature_cache.feature_cache_dtype)
    shapes = ", ".join("×".join(map(str, s)) or "1" for s in split.feature_shapes)
    num_bytes = sum(map(math.prod, split.feature_shapes)) * dtype.size
    views = num_views(config)
    of_views = f" × {views} views" if views > 1 else ", evaluation preprocessing"
    return (
        f"feature cache: {split.num_cold} operations are computed once per image,"
        f" {split.num_hot} in every step ({split.gain:,.0f}× less arithmetic); {shapes}"
        f" = {num_bytes / 1e3:.1f} kB per image{of_views},"
        f" {num_bytes * num_examples * views / 1e6:.1f} MB in total"
    )


def filled_cache(
    split: SplitNetwork,
    network: Network,
    plan: Plan,
    dataset: Dataset,
    config: TrainConfig,
    *,
    is_training: bool,
    cluster: Cluster = ALONE,
) -> FeatureCache:
    """The features of a split; missing ones are computed now.

    On several machines only the chief's cache is of use after: the others compute their
    share, and are done.

    Args:
      split: the net's frozen part.
      network: the net, restored.
      plan: what is trained.
      dataset: the split.
      config: the options.
      is_training: whether to cache the views for training or the one for evaluation.
      cluster: the machines that share the work.

    Raises:
      UserError: a record cannot be read, or there is no room for the features.
    """
    batch_size = max(config.train_data.batch_size, _LEAST_FILL_BATCH_SIZE)
    views = num_views(config) if is_training else 1
    cache = _make_cache(
        config.feature_cache,
        *(network, split.key, split.frozen_variables, dataset, config.data),
        shapes=split.feature_shapes,
        head=network.head,
        views=views,
        augmentation=(config.run.seed, config.augmentation) if views > 1 else (),
    )

    @functools.cache
    def features_fn() -> FeaturesFn:
        to_fill = split
        if batch_size != split.batch_size:
            to_fill = split_network(
                *(network, plan, config),
                is_training=split.is_training,
                batch_size=batch_size,
            )
        return tf.function(to_fill.features, autograph=False)

    def batches(
        start: int, part: tuple[int, int] = (0, 1)
    ) -> Iterator[LabeledFeatures]:
        read = functools.partial(
            input_pipeline.eval_batches, batch_size=batch_size, part=part
        )
        return _computed(features_fn(), read, network, dataset, config, views, start)

    with record_faults.explained(dataset, labels_offset=config.data.labels_offset):
        if cluster.is_alone:
            cache.fill(batches, batch_size)
            return cache
        filling = SharedFilling(
            cache.folder or "",
            cache.kinds,
            batches,
            num_examples=dataset.num_examples,
            batch_size=batch_size,
            cluster=cluster,
            patience_secs=config.cluster.cluster_heartbeat_secs,
        )
        if cluster.is_chief:
            cache.fill(filling.blocks, batch_size)
        else:
            filling.help()
    return cache


def keep(
    features: np.ndarray,
    labels: np.ndarray,
    network: Network,
    frontier: str,
    frozen_variables: Iterable[str],
    dataset: Dataset,
    data: DataOptions,
    feature_cache_dir: str | None,
    *,
    head: NewHead,
) -> None:
    """Keeps features where `filled_cache` looks for those of one view, on disk.

    Args:
      features: `[examples, ...]` float32, of all examples in order: what a net whose
        head alone is trained reads there.
      labels: `[examples]` int32.
      network: the net, restored.
      frontier: the name of the tensor that the head reads.
      frozen_variables: those that it is computed from.
      dataset: the examples.
      data: options.
      feature_cache_dir: that of `FeatureCacheOptions`.
      head: the head that is to be trained.

    Raises:
      UserError: there is no room for the features.
    """
    options = FeatureCacheOptions(
        feature_cache="disk", feature_cache_dir=feature_cache_dir
    )
    cache = _make_cache(
        *(options, network, frontier, sorted(frozen_variables), dataset, data),
        shapes=[features.shape[1:]],
        head=head,
    )
    cache.fill(lambda first: [([features[first:]], labels[first:])], len(labels))


def _make_cache(
    options: FeatureCacheOptions,
    network: Network,
    frontier: str,
    frozen_variables: Iterable[str],
    dataset: Dataset,
    data: DataOptions,
    *,
    shapes: Sequence[tuple[int, ...]],
    head: NewHead,
    views: int = 1,
    augmentation: Sequence[object] = (),
) -> FeatureCache:
    """The cache of a cut net's features, under a key of all that they depend on."""
    dtype = options.feature_cache_dtype
    key = feature_cache.key_of(
        [
            *(network.key_with(head), network.input_shape, network.precision, frontier),
            *(inputs.preprocessing_name(data, network), dataset.fingerprint),
            *(dataset.split_name, dataset.num_examples, data.labels_offset, views),
            *(*augmentation, dtype, tf.__version__),
        ],
        (network.model_variables[name].numpy() for name in frozen_variables),
    )
    return FeatureCache(
        _folder(options, data, key),
        num_rows=views * dataset.num_examples,
        shapes=shapes,
        dtype=tf.as_dtype(dtype),
    )


def _computed(
    features_of: FeaturesFn,
    read: Callable[..., tf.data.Dataset],
    network: Network,
    dataset: Dataset,
    config: TrainConfig,
    views: int,
    start: int,
) -> Iterator[LabeledFeatures]:
    """Computes the rows of a cache from `start` on: all images of each view in turn.

    Of each view `read` gives the batches, as `input_pipeline.eval_batches` does.
    """
    data = config.data
    preprocess_fn = inputs.preprocess_fn(
        data, network, is_training=views > 1, augmentation=config.augmentation
    )
    first_view, first_image = divmod(start, dataset.num_examples)
    for view in range(first_view, views):
        for batch in read(
            dataset,
            preprocess_fn,
            labels_offset=data.labels_offset,
            num_threads=data.num_preprocessing_threads,
            seed=config.run.seed,
            view=view,
            first=first_image if view == first_view else 0,
        ):
            mask = batch["mask"].numpy()
            features = [f.numpy()[mask] for f in features_of(batch["image"])]
            yield features, batch["label"].numpy()[mask]


def make_evaluator(
    network: Network,
    plan: Plan,
    dataset: Dataset,
    config: TrainConfig,
    of_training: SplitNetwork,
    cluster: Cluster = ALONE,
) -> Evaluator:
    """An evaluator that computes the frozen part of the net once.

    Args:
      network: the net, restored.
      plan: what is trained.
      dataset: what to evaluate.
      config: the options.
      of_training: the net as training splits it.
      cluster: see `filled_cache`.
    """
    split = of_training
    if of_training.is_training:
        split = split_network(network, plan, config, is_training=False)
    cache = filled_cache(
        *(split, network, plan, dataset, config), is_training=False, cluster=cluster
    )
    unused_seed = tf.zeros([2], tf.int32)
    return Evaluator(
        dataset,
        cached_batches.eval_batches(
            cache, dataset, batch_size=config.train_data.batch_size
        ),
        lambda batch: split.finish(batch["features"], unused_seed)[0],
        labels_offset=config.data.labels_offset,
    )


def _folder(options: FeatureCacheOptions, data: DataOptions, key: str) -> str | None:
    if options.feature_cache == "memory":
        return None
    parent = feature_cache.folder_of_all(options.feature_cache_dir, data.dataset_dir)
    logging.info("feature cache: %s", os.path.join(parent, key))
    return os.path.join(parent, key)
