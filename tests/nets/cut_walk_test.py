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
SMALL = (32, 75)  # pixels, tried before the net's own size


def smallest(name, end_point):
    """The net cut there, for the smallest images that reach it, and their size."""
    head = NewHead(end_point)
    for size in SMALL:
        with contextlib.suppress(ValueError):
            return Network(name, num_classes=CLASSES, image_size=size, head=head), size
    size = nets_factory.get_entry(name).image_size
    return Network(name, num_classes=CLASSES, image_size=size, head=head), size


@pytest.mark.slow
@pytest.mark.parametrize("name", nets_factory.NETWORKS)
def test_a_net_ends_at_each_end_point(name):
    entry = nets_factory.get_entry(name)
    end_points = cut.find_all(entry, (entry.image_size, entry.image_size, 3))
    assert end_points
    for end_point in end_points:
        network, size = smallest(name, end_point)
        trained = [v for v in network.model_variables.values() if v.trainable]
        images = tf.random.stateless_normal((2, size, size, 3), [1, 2])

        @tf.function(autograph=False)
        def step(images, network=network, trained=trained):
            with tf.GradientTape() as tape:
                seed = tf.constant([1, 2])
                logits, _ = network(images, is_training=True, dropout_seed=seed)
                loss = tf.reduce_mean(logits**2)
            gradients = tape.gradient(loss, trained)
            # Batch norms over two values have gradients of millions.
            for variable, gradient in zip(trained, gradients, strict=True):
                variable.assign_sub(0.1 * tf.clip_by_norm(gradient, 0.1))

        @tf.function(autograph=False)
        def evaluate(images, network=network):
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
        tf.keras.backend.clear_session()
