"""Statistics of a net's batch norms over images of a split."""

import dataclasses
from collections.abc import Collection

import numpy as np
import tensorflow as tf
from absl import logging

from checkpoints import plan
from config.shared_options import DataOptions
from config.training.augmentation_options import AugmentationOptions
from datasets import input_pipeline
from datasets.dataset import Dataset
from datasets.records.first_examples import first_examples
from engine import inputs
from engine.batch_norm import recomputation
from engine.batch_norm.population_statistics import moments_fn, over_batches
from engine.step.randomness import step_seed
from nets.network import Network


@dataclasses.dataclass(frozen=True)
class SeenImages:
    """How a run saw its training images.

    Attributes:
      split_name: the training split.
      num_examples: how many images of it, from the first on; 0 for all.
      mixed_in: another split whose images shared the batches; None if there was none.
      is_balanced: whether classes took turns.
      is_augmented: whether they were augmented at all; cached features of one view are
        those of evaluation.
      augmentation: what else was done to them.
    """

    split_name: str = "train"
    num_examples: int = 0
    mixed_in: str | None = None
    is_balanced: bool = False
    is_augmented: bool = True
    augmentation: AugmentationOptions = dataclasses.field(
        default_factory=AugmentationOptions
    )


class SplitStatistics:
    """Computes the statistics for any number of weights of the net.

    Attributes:
      num_batches: number of batches used.
    """

    def __init__(
        self,
        network: Network,
        dataset: Dataset,
        data: DataOptions,
        batch_norms: Collection[str],
        seen: SeenImages,
        *,
        batch_size: int,
        num_images: int,
        seed: int = 0,
        step: int = 0,
    ) -> None:
        """Prepares batches and net; computes nothing yet.

        Args:
          network: the net.
          dataset: the split, as it is trained on.
          data: how to read it.
          batch_norms: scopes of those to recompute; the others use their stored ones.
          seen: how training saw the images.
          batch_size: images per batch, over which batch norms normalize.
          num_images: number of images to use, or all of a smaller split.
          seed: the seed of the order and augmentation of images.
          step: global step of the weights, on which the randomness depends, too.
        """
        if seen.split_name == dataset.split_name:
            dataset = first_examples(dataset, seen.num_examples)
        if seen.mixed_in:
            logging.warning(
                "batch norm: training mixed images of split %r in, of which the"
                " recomputed statistics have none",
                seen.mixed_in,
            )
        self.num_batches = recomputation.num_batches(
            dataset.num_examples, batch_size, num_images
        )
        examples = input_pipeline.TrainExamples(
            dataset,
            inputs.preprocess_fn(
                data,
                network,
                is_training=seen.is_augmented,
                augmentation=seen.augmentation,
            ),
            seed=seed,
            labels_offset=data.labels_offset,
        )
        self._batches = input_pipeline.train_batches(
            examples,
            batch_size=batch_size,
            seed=seed + step,
            num_views=None if seen.is_augmented else 1,
            is_balanced=seen.is_balanced,
        )
        self._augmentation = seen.augmentation
        every = plan.batch_norm_scopes(list(network.model_variables))
        frozen = [scope for scope in every if scope not in batch_norms]
        trained = [f"{scope}/beta" for scope in batch_norms]
        self._moments = moments_fn(network, frozen, batch_size, trained)
        self._seed = step_seed(seed, tf.constant(step, tf.int64), 0)
        self._num_classes = network.num_classes

    def compute(self) -> dict[str, np.ndarray]:
        """Statistics of the net's current weights by name, see `over_batches`."""
        return over_batches(
            recomputation.moments_of(
                self._batches,
                self.num_batches,
                self._moments,
                self._seed,
                self._augmentation,
                self._num_classes,
            )
        )
