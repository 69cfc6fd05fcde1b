"""Measures a network of the factory as the goldens were measured.

Apart from nets_golden_test.py, which has it done in processes of their own.
"""

import contextlib
import dataclasses
import gc
import hashlib
import math
from typing import Any
from unittest import mock

import numpy as np
import tensorflow as tf
from tensorflow.python.ops import init_ops

from nets import network
from tests.nets import recipe

WEIGHT_DECAY = 0.00004  # of the goldens' regularization_sum


@dataclasses.dataclass
class Measured:
    """A network with the recipe's weights, and what it made of the recipe's images.

    Attributes:
      image_size: its default.
      shapes: of the variables by the names they are listed by, in order of creation.
      names: those that the variables have themselves.
      trainable: names of the trainable ones.
      regularized: names of those in the L2 penalty.
      regularization_sum: the penalty.
      input_sha256: of the images.
      weights_sha256: of the variables that evaluation reads.
      logits: `[2, num_classes]` float32.
      end_points: shape and L2 norm by name.
    """

    image_size: int
    shapes: dict[str, tuple[int, ...]]
    names: list[str]
    trainable: set[str]
    regularized: list[str]
    regularization_sum: float
    input_sha256: str
    weights_sha256: str
    logits: np.ndarray
    end_points: dict[str, tuple[list[int], float]]


def measure(
    name: str, num_classes: int, image_size: int, channels: int = 3
) -> Measured:
    """Builds the network, fills it and runs it."""
    gc.collect()  # the net before: VGG's holds half a gigabyte
    # In a single run, the graph optimizer takes longer than it saves.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    with _nothing_drawn():
        net = network.Network(name, num_classes=num_classes, channels=channels)
    images = recipe.images(image_size, channels)
    evaluate, shapes = _evaluation(net, images)
    weights_sha256 = _fill(net.model_variables, evaluate.graph.variables)
    logits, halves = evaluate(tf.constant(images))
    squares = (float(tf.nn.l2_loss(v)) for v in net.regularized)
    return Measured(
        image_size=net.image_size,
        shapes=net.variable_shapes(),
        names=_names(net.model_variables.values()),
        trainable=set(_names(net.trainable_variables)),
        regularized=_names(net.regularized),
        regularization_sum=sum(WEIGHT_DECAY * square for square in squares),
        input_sha256=hashlib.sha256(images.data).hexdigest(),
        weights_sha256=weights_sha256,
        logits=logits.numpy(),
        end_points={
            key: (shape, math.sqrt(2 * halves[key])) for key, shape in shapes.items()
        },
    )


def differences(
    name: str, num_classes: int, expected: dict[int, dict[str, Any]]
) -> dict[str, dict[int, float]]:
    """How far a network's logits are from those expected, by precision and image size.

    Args:
      name: the network.
      num_classes: number of logits.
      expected: the `logits` of a golden, by image size.

    Returns:
      The largest difference of the first logits, relative to the largest of all.
    """
    with _nothing_drawn():
        net = network.Network(name, num_classes=num_classes)
    _fill(net.model_variables, ())
    found: dict[str, dict[int, float]] = {}
    for precision in ("float32", "mixed_bfloat16"):
        net.precision = precision
        found[precision] = {}
        run = tf.function(lambda x: net(x, is_training=False)[0], autograph=False)
        for size, logits in expected.items():
            got = run(recipe.images(size))
            error = np.abs(got[:, :16] - np.array(logits["first16"])).max()
            found[precision][size] = float(error / logits["max_abs"])
    return found


@contextlib.contextmanager
def _nothing_drawn():
    """Variables start at zero instead of random values, which the recipe replaces.

    Drawing the two billion weights of all nets would take a minute.
    """

    def zeros(shape, *_, dtype=tf.float32, **__):
        return tf.zeros(shape, dtype)

    with contextlib.ExitStack() as stack:
        for name in ("truncated_normal", "random_normal", "random_uniform"):
            patch = mock.patch.object(init_ops.random_ops, name, zeros)
            stack.enter_context(patch)
        yield


def _names(variables):
    return [variable.name.removesuffix(":0") for variable in variables]


def _fill(variables, evaluated):
    """Gives the variables the recipe's values; the SHA-256 of the evaluated ones.

    NASNet's auxiliary head is there in training alone.
    """
    sha256 = hashlib.sha256()
    names = set(_names(evaluated))
    for name, variable in variables.items():
        values = recipe.weights(name, tuple(variable.shape))
        variable.assign(values)
        if name in names:
            sha256.update(values.data)
    return sha256.hexdigest()


def _evaluation(net, images):
    """Images to logits and half the end points' squares; the end points' shapes."""
    shapes: dict[str, list[int]] = {}

    @tf.function(autograph=False)
    def evaluate(images):
        logits, end_points = net(images, is_training=False)
        shapes.update({key: list(v.shape) for key, v in end_points.items()})
        return logits, {
            key: tf.nn.l2_loss(tf.cast(v, tf.float64)) for key, v in end_points.items()
        }

    spec = tf.TensorSpec(images.shape, tf.float32)
    return evaluate.get_concrete_function(spec), shapes
