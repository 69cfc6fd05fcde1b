"""Features of every image at every depth of a net, from one pass over a split."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from datasets import input_pipeline
from datasets.dataset import Dataset
from datasets.input_pipeline import PhotoPreprocessFn
from datasets.records import record_faults
from engine.feature_cache import feature_cache
from engine.feature_cache.feature_cache import FeatureCache
from engine.probing.depths import Depth
from nets.end_points import pooled
from nets.network import Network

# Features by depth, [images, features] float32 each, and labels, [images] int32.
Examples = tuple[list[np.ndarray], np.ndarray]
FeaturesFn = Callable[[tf.Tensor], list[tf.Tensor]]


def features_fn(network: Network, depths: Sequence[Depth]) -> FeaturesFn:
    """The function from images to each depth, pooled over height and width.

    It is traced once, so one of them should serve all splits.

    Args:
      network: the net.
      depths: where to take features.
    """

    def run(images: tf.Tensor) -> list[tf.Tensor]:
        _, end_points = network(images, is_training=False)
        return [pooled(end_points[depth.end_point]) for depth in depths]

    return tf.function(run, autograph=False)


def compute(
    network: Network,
    depths: Sequence[Depth],
    dataset: Dataset,
    features_of: FeaturesFn,
    preprocess_fn: PhotoPreprocessFn,
    *,
    preprocessing_name: str,
    batch_size: int,
    labels_offset: int,
    num_threads: int,
    folder_of: Callable[[str], str | None],
) -> Examples:
    """Pools each depth over height and width, or reads features that were kept.

    Args:
      network: the net, its weights restored up to the head.
      depths: where to take features.
      dataset: the split.
      features_of: the `features_fn` of this net and these depths.
      preprocess_fn: preprocesses a photo as in evaluation.
      preprocessing_name: its name, as the kept features depend on it.
      batch_size: images per batch.
      labels_offset: subtracted from labels.
      num_threads: number of images decoded in parallel.
      folder_of: from the key of these features to the folder that keeps them; None
        keeps them in memory only.

    Returns:
      The examples in the order of the files.

    Raises:
      UserError: a record cannot be read, or there is no room for the features.
    """
    key = _key(network, depths, dataset, preprocessing_name, labels_offset)
    cache = FeatureCache(
        folder_of(key),
        num_rows=dataset.num_examples,
        shapes=[(depth.num_features,) for depth in depths],
        dtype=tf.float32,
    )

    def batches(first: int) -> Iterator[Examples]:
        for batch in input_pipeline.eval_batches(
            dataset,
            preprocess_fn,
            batch_size=batch_size,
            labels_offset=labels_offset,
            num_threads=num_threads,
            first=first,
        ):
            mask = batch["mask"].numpy()
            features = [f.numpy()[mask] for f in features_of(batch["image"])]
            yield features, batch["label"].numpy()[mask]

    with record_faults.explained(dataset, labels_offset=labels_offset):
        cache.fill(batches, batch_size)
    *features, labels = cache.arrays()
    return features, labels


def _key(
    network: Network,
    depths: Sequence[Depth],
    dataset: Dataset,
    preprocessing_name: str,
    labels_offset: int,
) -> str:
    """The digest of everything that the features depend on."""
    return feature_cache.key_of(
        [
            *("pooled", network.key, network.input_shape, network.precision),
            *([depth.end_point for depth in depths], preprocessing_name),
            *(dataset.fingerprint, dataset.split_name, dataset.num_examples),
            *(labels_offset, tf.__version__),
        ],
        (network.model_variables[name].numpy() for name in depths[-1].before),
    )
