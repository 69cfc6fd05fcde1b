"""Every net of the registry ends, trains and evaluates at each of its end points.

Building each of the nine thousand cut nets would take a day. So each net is built once
with a head at every end point, and twice as a run builds it, cut halfway and at its
last end point. That takes hours of one core, too: `make recipes` runs it, and `make
test` one cut of each family.
"""

import concurrent.futures
import contextlib
import dataclasses
import multiprocessing
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf

from errors import UserError
from nets import nets_factory, new_head, slim
from nets.end_points import building_until
from nets.network import Network
from nets.new_head import NewHead
from tests.nets import ends

CLASSES = 3
SMALL = (32, 28, 75, 128)  # pixels, tried before the own size; 28 fits DINOv2


def with_all_heads(entry, end_points):
    """The net with the head of each cut net; its end points are their logits."""

    def scope_of(end_point):
        return NewHead(end_point).scope(entry.head_scopes[0])

    def build(images, *, num_classes, is_training, **options):
        with building_until(None) as found:
            _, of_net = entry.builder(
                images, num_classes=num_classes, is_training=is_training, **options
            )
            found.update(of_net)
        with slim.arg_scope({}):  # not the net's own
            logits = {
                name: new_head.build(
                    *(found[name], NewHead(name), num_classes),
                    scope=scope_of(name),
                    weight_decay=0.0,
                    is_training=is_training,
                )[0]
                for name in end_points
            }
        return tf.add_n(list(logits.values())), logits

    scopes = tuple(map(scope_of, end_points))
    return dataclasses.replace(entry, builder=build, head_scopes=scopes)


def build_small(name):
    """The net with all heads, for the smallest images that leave a map everywhere."""
    entry = nets_factory.get_entry(name)
    own = entry.image_size
    end_points = ends.find_all(entry, (own, own, 3))
    all_heads = {name: with_all_heads(entry, end_points)}
    with mock.patch.dict(nets_factory.NETWORKS, all_heads):
        for size in (size for size in SMALL if size < own):
            with contextlib.suppress(UserError):
                return Network(name, num_classes=CLASSES, image_size=size), end_points
        return Network(name, num_classes=CLASSES), end_points


def step_and_evaluate(network, own_heads=()):
    """One step moves the whole of each head, and the net is finite after it."""
    own = tuple(f"{scope}/" for scope in own_heads)
    trained = {
        name: variable
        for name, variable in network.model_variables.items()
        if variable.trainable and not name.startswith(own)
    }
    images = tf.random.stateless_normal((2, *network.input_shape), [1, 2])

    def run(images, *, is_training):
        seed = tf.constant([1, 2])
        logits, end_points = network(images, is_training=is_training, dropout_seed=seed)
        return end_points if own_heads else {"Logits": logits}

    @tf.function(autograph=False)
    def step(images):
        with tf.GradientTape() as tape:
            every = run(images, is_training=True)
            loss = tf.add_n([tf.reduce_mean(logits**2) for logits in every.values()])
        gradients = tape.gradient(loss, trained)
        for name, variable in trained.items():
            if own_heads and gradients[name] is None:
                continue  # comes after the last of the end points
            # Batch norms over two values have gradients of millions.
            variable.assign_sub(0.1 * tf.clip_by_norm(gradients[name], 0.1))

    scopes = tuple(f"{scope}/" for scope in network.head_scopes)
    heads = {name: v for name, v in trained.items() if name.startswith(scopes)}
    assert len(heads) == 2 * len(scopes)  # weights and biases
    before = {name: variable.numpy() for name, variable in heads.items()}
    step(images)
    for name, variable in heads.items():
        assert not np.array_equal(before[name], variable.numpy()), name
    every = tf.function(run, autograph=False)(images, is_training=False)
    for end_point, logits in every.items():
        assert logits.shape == (2, CLASSES), end_point
        assert np.isfinite(logits).all(), end_point


@pytest.mark.slow
@pytest.mark.parametrize("name", nets_factory.NETWORKS)
def test_a_net_ends_at_each_end_point(name):
    """In a process of its own, as not all memory of a net comes back to the system."""
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as pool:
        pool.submit(end_at_each_end_point, name).result()


def end_at_each_end_point(name):
    # Each graph runs once: optimizing it takes longer than it saves.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    network, end_points = build_small(name)
    size = network.image_size
    own_heads = nets_factory.get_entry(name).head_scopes
    step_and_evaluate(network, own_heads)
    for end_point in (end_points[len(end_points) // 2], end_points[-1]):
        head = NewHead(end_point)
        network = Network(name, num_classes=CLASSES, image_size=size, head=head)
        step_and_evaluate(network)
