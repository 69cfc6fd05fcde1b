"""Augmentation by flags, in whole runs."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from config.shared_options import DataOptions
from config.training.augmentation_options import AugmentationOptions
from engine import inputs
from errors import UserError
from nets.network import Network
from preprocessing.rand_augment import rand_augment
from tests.engine import coloured_images, small_runs

FLAGS = [
    {"rand_augment_ops": 2},
    {"random_affine": "shear=10,zoom=0.2,rotate=5,shift=0.1"},
    {"random_erasing": 1.0},
    {"mixup_alpha": 0.5},
    {"cutmix_alpha": 1.0},
]


def train(train_dir, images_dir, **flags):
    small_runs.train(
        dataset_dir=images_dir, train_dir=train_dir, max_number_of_steps=2, **flags
    )
    return small_runs.read_all(train_dir, 2)["Tiny/Conv2d_1/weights"]


@pytest.fixture(scope="module")
def images_dir(tmp_path_factory):
    """Images in which it shows that a pixel has moved, unlike in plain ones."""
    colours = small_runs.COLOURS
    folder = tmp_path_factory.mktemp("images")
    return coloured_images.write_split(folder, "train", colours, colours, shaded=True)


@pytest.fixture(scope="module")
def plain(images_dir, small_net, tmp_path_factory):
    """The weights without augmentation."""
    return train(tmp_path_factory.mktemp("plain"), images_dir)


@pytest.mark.parametrize("flags", FLAGS, ids=lambda flags: next(iter(flags)))
def test_each_changes_the_training_and_repeats_itself(
    plain, tmp_path, images_dir, flags
):
    augmented = train(tmp_path / "one", images_dir, **flags)
    assert np.isfinite(augmented).all()
    assert (augmented != plain).any()
    np.testing.assert_array_equal(
        augmented, train(tmp_path / "two", images_dir, **flags)
    )


def test_the_flags_reach_the_operators():
    network = Network(small_runs.NET, num_classes=3)
    data = DataOptions(dataset_dir="unused", preprocessing_name="lenet")
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    seed = tf.constant([1, 2], tf.int64)
    augmentation = AugmentationOptions(rand_augment_ops=3, rand_augment_magnitude=20)
    prepare = inputs.preprocess_fn(
        data, network, is_training=True, augmentation=augmentation
    )
    own_seed = tf.random.experimental.stateless_fold_in(seed, 1)
    augmented = rand_augment(tf.constant(noise), own_seed, 3, 20)
    expected = (np.float32(augmented) - 128) / 128
    np.testing.assert_allclose(prepare(noise, seed), expected, atol=1e-6)
    evaluation = inputs.preprocess_fn(
        data, network, is_training=False, augmentation=augmentation
    )
    plain = (np.float32(noise) - 128) / 128
    np.testing.assert_allclose(evaluation(noise, seed), plain, atol=1e-6)


@pytest.mark.parametrize("flags", FLAGS[:3], ids=lambda flags: next(iter(flags)))
def test_images_in_one_version_are_not_augmented(flags):
    features: dict[str, Any] = {"dataset_dir": "x", "feature_cache": "memory"}
    small_runs.make_config(**features, **flags, feature_cache_views=2)
    with pytest.raises(UserError, match=f"--{next(iter(flags))}=.* random, but --fea"):
        small_runs.make_config(**features, **flags)
    with pytest.raises(UserError, match="but --feature_cache_views=1 keeps only one"):
        small_runs.make_config(dataset_dir="x", feature_cache_views=1, **flags)


def test_features_cannot_be_mixed():
    with pytest.raises(UserError, match="omit one of them"):
        small_runs.make_config(dataset_dir="x", mixup_alpha=0.2, feature_cache="memory")
