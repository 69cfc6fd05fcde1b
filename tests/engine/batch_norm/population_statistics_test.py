"""Statistics over batches: by hand, and against all values at once."""

import numpy as np
import pytest
import tensorflow as tf

from engine.batch_norm.population_statistics import moments_fn, over_batches
from nets.network import Network
from tests.engine import small_runs
from tests.engine.trainer import noise


def test_the_variance_of_the_means_counts():
    """By hand: values 0, 2 in one batch and 4, 10 in the other."""
    found = over_batches([{"net/BN": ([1.0], [1.0])}, {"net/BN": ([7.0], [9.0])}])
    # Means 1 and 7; variances 1 and 9, of mean 5; the means' variance is 9.
    assert found == {"net/BN/moving_mean": [4.0], "net/BN/moving_variance": [14.0]}
    assert np.var([0, 2, 4, 10]) == 14
    assert all(value.dtype == np.float32 for value in found.values())


@pytest.fixture
def network():
    tf.random.set_seed(1)
    return Network(small_runs.NET, num_classes=3)


def test_they_are_those_of_all_values_together(network):
    images = noise(3)["image"]
    moments = moments_fn(network, (), images.shape[1])
    seed = tf.zeros([2], tf.int32)
    found = over_batches(moments({"image": tf.constant(b)}, seed) for b in images)
    assert len(found) == 4
    kernel = network.model_variables["Tiny/Conv2d_1/weights"]
    inputs = tf.nn.conv2d(images.reshape(-1, *images.shape[2:]), kernel, 2, "SAME")
    scope = "Tiny/Conv2d_1/BatchNorm"
    for name, expected in (
        ("moving_mean", np.mean(inputs, (0, 1, 2))),
        ("moving_variance", np.var(inputs, (0, 1, 2))),
    ):
        np.testing.assert_allclose(found[f"{scope}/{name}"], expected, atol=1e-6)


def test_a_batch_norm_sees_what_earlier_ones_make_of_the_batch(network):
    """With one batch evaluation does what training does."""
    images = tf.constant(noise(1)["image"][0])
    moments = moments_fn(network, (), len(images))
    found = over_batches([moments({"image": images}, tf.zeros([2], tf.int32))])
    _, in_training = tf.function(network, autograph=False)(images, is_training=True)
    for name, value in found.items():
        network.model_variables[name].assign(value)
    _, in_evaluation = tf.function(network, autograph=False)(images, is_training=False)
    np.testing.assert_allclose(
        in_evaluation["Conv2d_2"], in_training["Conv2d_2"], atol=1e-5
    )


def test_nothing_changes_and_frozen_ones_are_left_out(network):
    before = {n: v.numpy() for n, v in network.model_variables.items()}
    images = tf.constant(noise(1)["image"][0])
    moments = moments_fn(network, ("Tiny/Conv2d_1/BatchNorm",), len(images))
    found = moments({"image": images}, tf.zeros([2], tf.int32))
    assert list(found) == ["Tiny/Conv2d_2/BatchNorm"]
    for name, variable in network.model_variables.items():
        assert np.array_equal(variable.numpy(), before[name]), name
