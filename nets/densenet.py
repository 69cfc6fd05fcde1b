"""DenseNet: every layer of a block sees the outputs of all before it.

Huang et al., "Densely Connected Convolutional Networks",
https://arxiv.org/abs/1608.06993, table 1. ImageNet top-1 of the published weights for
121, 169 and 201 layers: Keras' 75.0, 76.2, 77.3; torchvision's 74.4, 75.6, 76.9.
"""

from typing import Any

import tensorflow as tf

from nets import resnet_utils, slim
from nets.end_points import EndPoints
from nets.image_sides import require_sides
from nets.logits import classified
from nets.net_entry import NetEntry, of_size

_IMAGE_SIZE = 224
_LEAST_SIDE = 29  # of images, in pixels, that leave a place to each transition
_FIRST_DEPTH, _GROWTH = 64, 32  # channels: of the first convolution, and of each unit
_BOTTLENECK = 4  # channels inside a unit, per channel of its output

# Units of each block.
UNITS = {
    "densenet_121": (6, 12, 24, 16),
    "densenet_169": (6, 12, 32, 32),
    "densenet_201": (6, 12, 48, 32),
}


def _preact(net: tf.Tensor, scope: str = "preact") -> tf.Tensor:
    return slim.batch_norm(net, activation_fn=tf.nn.relu, scope=scope)


def _unit(net: tf.Tensor) -> tf.Tensor:
    """Adds `_GROWTH` channels to those that are there."""
    new = slim.conv2d(_preact(net), _BOTTLENECK * _GROWTH, [1, 1], scope="conv1")
    new = slim.conv2d(
        new,
        _GROWTH,
        [3, 3],
        activation_fn=None,
        normalizer_fn=None,
        biases_initializer=None,
        scope="conv2",
    )
    return tf.concat([net, new], axis=-1)


def _transition(net: tf.Tensor) -> tf.Tensor:
    """Halves the channels, and height and width."""
    net = slim.conv2d(
        _preact(net),
        net.shape[-1] // 2,
        [1, 1],
        activation_fn=None,
        normalizer_fn=None,
        biases_initializer=None,
        scope="conv",
    )
    return slim.avg_pool2d(net, [2, 2], stride=2, padding="VALID", scope="pool")


def densenet(
    images: tf.Tensor,
    units: tuple[int, ...],
    num_classes: int | None = 1000,
    is_training: bool = True,
    reuse: bool | None = None,
    scope: str = "densenet",
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Builds a DenseNet.

    Args:
      images: `[batch, height, width, channels]` float32, of at least 29 pixels a side.
      units: the number of units of each block.
      num_classes: None or 0 gives the pooled features instead of logits.
      is_training: mode of batch norm and dropout.
      reuse: whether to reuse the variables of `scope`.
      scope: variable scope.

    Returns:
      `[batch, num_classes]` logits, or features, and all end points by name: the first
      layers, each unit and transition, the last map, the pooled features, logits, and
      probabilities.

    Raises:
      ValueError: the images are smaller.
    """
    require_sides(images, _LEAST_SIDE)
    end_points = EndPoints()
    with (
        tf.compat.v1.variable_scope(scope, values=[images], reuse=reuse),
        slim.arg_scope([slim.batch_norm, slim.dropout], is_training=is_training),
    ):
        net = resnet_utils.conv2d_same(images, _FIRST_DEPTH, 7, stride=2, scope="conv1")
        end_points["conv1"] = net
        net = tf.pad(net, [[0, 0], [1, 1], [1, 1], [0, 0]])
        net = slim.max_pool2d(net, [3, 3], stride=2, padding="VALID", scope="pool1")
        end_points["pool1"] = net
        for block, number in enumerate(units, 1):
            for unit in range(1, number + 1):
                name = f"block{block}/unit_{unit}"
                with tf.compat.v1.variable_scope(name):
                    net = _unit(net)
                end_points[name] = net
            if block < len(units):
                name = f"transition{block}"
                with tf.compat.v1.variable_scope(name):
                    net = _transition(net)
                end_points[name] = net
        net = end_points["postnorm"] = _preact(net, "postnorm")
        net = end_points["global_pool"] = tf.reduce_mean(net, [1, 2])
        return classified(net, num_classes, end_points), end_points


def arg_scope(
    weight_decay: float = 0.0001, dropout_keep_prob: float = 1.0
) -> dict[str, Any]:
    """The layer defaults that DenseNets were trained with.

    Args:
      weight_decay: L2 coefficient of the weights.
      dropout_keep_prob: share of features kept before the logits in training.

    Returns:
      An arg scope, for `slim.arg_scope`.
    """
    with (
        slim.arg_scope(resnet_utils.resnet_arg_scope(weight_decay)),
        slim.arg_scope(
            [slim.fully_connected],
            weights_regularizer=slim.l2_regularizer(weight_decay),
        ),
        slim.arg_scope([slim.dropout], keep_prob=dropout_keep_prob) as scope,
    ):
        return scope


ENTRIES = {
    name: NetEntry(
        of_size(densenet, UNITS, name, _IMAGE_SIZE),
        arg_scope,
        _IMAGE_SIZE,
        (f"{name}/Logits",),
        "torchvision",
    )
    for name in UNITS
}
