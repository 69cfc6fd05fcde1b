"""What training and evaluation read: a split, its classes, its preprocessed images."""

import dataclasses
import functools
from collections.abc import Callable, Set

import tensorflow as tf
from absl import logging

from common import storage
from config.shared_options import DataOptions
from config.training.augmentation_options import AugmentationOptions
from datasets import dataset_factory, dataset_json
from datasets.dataset import Dataset
from datasets.records.first_examples import first_examples
from errors import UserError
from nets import nets_factory
from nets.network import Network
from preprocessing import preprocessing_factory
from preprocessing.photo import Photo, as_photo
from preprocessing.preprocessing_factory import PreprocessFn
from preprocessing.rand_augment import rand_augment
from preprocessing.random_affine import random_affine
from preprocessing.random_erasing import random_erasing


def with_found_name(data: DataOptions, given: Set[str]) -> DataOptions:
    """The options with the name in dataset.json, if no flag gives one."""
    if "dataset_name" in given or not storage.is_folder(data.dataset_dir or ""):
        return data
    info = dataset_json.read(data.dataset_dir or "")
    if info is None:
        return data
    logging.info("no --dataset_name: using %s, from dataset.json", info.name)
    return dataclasses.replace(data, dataset_name=info.name)


def get_dataset(
    data: DataOptions, split_name: str, *, num_examples: int = 0
) -> Dataset:
    """The split that the options name, or its first examples; 0 for all."""
    dataset = dataset_factory.get_dataset(
        data.dataset_name,
        split_name,
        data.dataset_dir or "",
        max_bad_records=data.max_bad_records,
        labels_offset=data.labels_offset,
    )
    return first_examples(dataset, num_examples)


def num_classes(dataset: Dataset, data: DataOptions) -> int:
    """Number of logits for a split.

    Raises:
      UserError: the labels offset leaves no class.
    """
    classes = dataset.num_classes - data.labels_offset
    if classes < 1:
        raise UserError(
            f"--labels_offset={data.labels_offset}: the data has only"
            f" {dataset.num_classes} classes"
        )
    return classes


def num_channels(dataset: Dataset, data: DataOptions, model_name: str) -> int:
    """Number of channels of the net's input; most recipes turn gray images to color."""
    name = data.preprocessing_name or nets_factory.get_entry(model_name).preprocessing
    recipe = preprocessing_factory.get_preprocessing(name, False, data.use_grayscale)
    image = tf.zeros([32, 32, dataset.num_channels], tf.uint8)
    return int(recipe(image, 32, 32).shape[-1])


def preprocess_fn(
    data: DataOptions,
    network: Network,
    *,
    is_training: bool,
    augmentation: AugmentationOptions | None = None,
) -> Callable[[Photo | tf.Tensor, tf.Tensor], tf.Tensor]:
    """The preprocessing of the options, for the net's image size.

    Args:
      data: names the preprocessing.
      network: has the image size.
      is_training: whether to distort images at random.
      augmentation: what to do beyond the preprocessing, in training only.
    """
    recipe = preprocessing_factory.get_preprocessing(
        preprocessing_name(data, network), is_training, data.use_grayscale
    )
    if not is_training:
        augmentation = None
    return augmented(recipe, network.image_size, augmentation)


def augmented(
    recipe: PreprocessFn, size: int, augmentation: AugmentationOptions | None
) -> Callable[[Photo | tf.Tensor, tf.Tensor], tf.Tensor]:
    """A preprocessing for images of one size, with further augmentation.

    Args:
      recipe: from `preprocessing_factory`.
      size: side of the images, in pixels.
      augmentation: None for none; mixup and CutMix are applied to batches later.
    """

    def preprocess(image: Photo | tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        if augmentation is None:
            return recipe(image, size, size, seed)
        fold_in = tf.random.experimental.stateless_fold_in
        if augmentation.rand_augment_ops:
            image = rand_augment(
                as_photo(image).pixels(),
                fold_in(seed, 1),
                augmentation.rand_augment_ops,
                augmentation.rand_augment_magnitude,
            )
        image = recipe(image, size, size, seed)
        if ranges := augmentation.affine_ranges:
            image = random_affine(image, fold_in(seed, 3), **ranges)
        if augmentation.random_erasing:
            image = random_erasing(image, fold_in(seed, 2), augmentation.random_erasing)
        return image

    return functools.update_wrapper(preprocess, recipe)


def preprocessing_name(data: DataOptions, network: Network) -> str:
    """The preprocessing of the options, or the net's own."""
    return (
        data.preprocessing_name
        or nets_factory.get_entry(network.model_name).preprocessing
    )
