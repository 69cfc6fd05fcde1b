"""Every net of the registry ends, trains and evaluates at each of its end points.

Hours on two cores: `make recipes` runs it, and `make test` one cut of each family.
"""

import contextlib

import numpy as np
import pytest
import tensorflow as tf

from nets import cut, nets_factory
from nets.network import Network
from nets.new_head import NewHead

CLASSES = 3
SMALL = (32, 28, 75, 128)  # pixels, tried before the own size; 28 fits DINOv2


@pytest.fixture(scope="module", autouse=True)
def graphs_as_they_are():
    """Each graph runs once: optimizing it takes longer than it saves."""
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


def sizes_of(name, at_least):
    own = nets_factory.get_entry(name).image_size
    return [size for size in (*SMALL, own) if at_least <= size <= own]


def smallest(name, end_point, at_least):
    """The net cut there, for the smallest images that reach it."""
    *small, own = sizes_of(name, at_least)
    head = NewHead(end_point)
    for size in small:
        with contextlib.suppress(ValueError):
            return Network(name, num_classes=CLASSES, image_size=size, head=head)
    return Network(name, num_classes=CLASSES, image_size=own, head=head)


def step_and_evaluate(network, end_point):
    """One step moves the whole head, and the net is finite after it."""
    trained = [v for v in network.model_variables.values() if v.trainable]
    images = tf.random.stateless_normal((2, *network.input_shape), [1, 2])

    @tf.function(autograph=False)
    def step(images):
        with tf.GradientTape() as tape:
            seed = tf.constant([1, 2])
            logits, _ = network(images, is_training=True, dropout_seed=seed)
            loss = tf.reduce_mean(logits**2)
        gradients = tape.gradient(loss, trained)
        # Batch norms over two values have gradients of millions.
        for variable, gradient in zip(trained, gradients, strict=True):
            variable.assign_sub(0.1 * tf.clip_by_norm(gradient, 0.1))

    @tf.function(autograph=False)
    def evaluate(images):
        return network(images, is_training=False, dropout_seed=tf.constant([1, 2]))

    head = [v for v in trained if v.name.startswith(network.head_scopes)]
    before = [v.numpy() for v in head]
    step(images)
    moved = [
        not np.array_equal(b, v.numpy()) for b, v in zip(before, head, strict=True)
    ]
    assert head
    assert all(moved), end_point
    logits = evaluate(images)[0]
    assert logits.shape == (2, CLASSES), end_point
    assert np.isfinite(logits).all(), end_point


@pytest.mark.slow
@pytest.mark.parametrize("name", nets_factory.NETWORKS)
def test_a_net_ends_at_each_end_point(name):
    entry = nets_factory.get_entry(name)
    end_points = cut.find_all(entry, (entry.image_size, entry.image_size, 3))
    assert end_points
    size = 0  # what an earlier end point needed, a later one does too
    for end_point in end_points:
        network = smallest(name, end_point, size)
        size = network.image_size
        step_and_evaluate(network, end_point)
        tf.keras.backend.clear_session()
