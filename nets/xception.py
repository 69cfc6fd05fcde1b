"""Xception: Inception whose branches are as many as its channels.

Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions",
https://arxiv.org/abs/1610.02357, figure 5. ImageNet top-1 of Keras' weights 79.0.
"""

from typing import Any, NamedTuple

import tensorflow as tf

from nets import slim
from nets.end_points import EndPoints
from nets.image_sides import require_sides
from nets.logits import classified
from nets.net_entry import NetEntry

_IMAGE_SIZE = 299
_LEAST_SIDE = 7  # of images, in pixels, that leave a place after two convolutions


class Block(NamedTuple):
    """Separable convolutions, and what is added to them.

    Attributes:
      depths: channels of each.
      is_strided: whether a pool halves the map, and a convolution the input; otherwise
        the input is added as it is.
      starts_with_relu: whether the first one follows a ReLU.
    """

    depths: tuple[int, ...]
    is_strided: bool = False
    starts_with_relu: bool = True


BLOCKS = {
    "block2": Block((128, 128), is_strided=True, starts_with_relu=False),
    "block3": Block((256, 256), is_strided=True),
    "block4": Block((728, 728), is_strided=True),
    **{f"block{i}": Block((728, 728, 728)) for i in range(5, 13)},
    "block13": Block((728, 1024), is_strided=True),
}
_LAST_DEPTHS = (1536, 2048)


def _block(net: tf.Tensor, block: Block) -> tf.Tensor:
    shortcut = net
    for number, depth in enumerate(block.depths, 1):
        if number > 1 or block.starts_with_relu:
            net = tf.nn.relu(net)
        scope = f"separable_conv{number}"
        net = slim.separable_conv2d(net, depth, [3, 3], activation_fn=None, scope=scope)
    if block.is_strided:
        net = slim.max_pool2d(net, [3, 3], stride=2, padding="SAME", scope="pool")
        shortcut = slim.conv2d(
            shortcut,
            block.depths[-1],
            [1, 1],
            stride=2,
            activation_fn=None,
            scope="shortcut",
        )
    return net + shortcut


def xception(
    images: tf.Tensor,
    num_classes: int | None = 1000,
    is_training: bool = True,
    reuse: bool | None = None,
    scope: str = "xception",
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Builds Xception.

    Args:
      images: `[batch, height, width, channels]` float32, of at least 7 pixels a side.
      num_classes: None or 0 gives the pooled features instead of logits.
      is_training: mode of batch norm and dropout.
      reuse: whether to reuse the variables of `scope`.
      scope: variable scope.

    Returns:
      `[batch, num_classes]` logits, or features, and all end points by name: the first
      and the last convolutions, the blocks, the pooled features, logits, and
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
        with slim.arg_scope([slim.conv2d], padding="VALID"):
            net = slim.conv2d(images, 32, [3, 3], stride=2, scope="conv1")
            end_points["conv1"] = net
            net = end_points["conv2"] = slim.conv2d(net, 64, [3, 3], scope="conv2")
        for name, block in BLOCKS.items():
            with tf.compat.v1.variable_scope(name):
                net = _block(net, block)
            end_points[name] = net
        for number, depth in enumerate(_LAST_DEPTHS, 1):
            name = f"separable_conv{number}"
            net = slim.separable_conv2d(net, depth, [3, 3], scope=name)
            end_points[name] = net
        net = end_points["global_pool"] = tf.reduce_mean(net, [1, 2])
        return classified(net, num_classes, end_points), end_points


def arg_scope(
    weight_decay: float = 0.00001, dropout_keep_prob: float = 0.5
) -> dict[str, Any]:
    """The layer defaults that Xception was trained with (section 4.3 of the paper).

    Args:
      weight_decay: L2 coefficient of the weights.
      dropout_keep_prob: share of features kept before the logits in training.

    Returns:
      An arg scope, for `slim.arg_scope`.
    """
    layers = [slim.conv2d, slim.separable_conv2d, slim.fully_connected]
    with (
        slim.arg_scope(layers, weights_regularizer=slim.l2_regularizer(weight_decay)),
        slim.arg_scope(
            [slim.conv2d, slim.separable_conv2d], normalizer_fn=slim.batch_norm
        ),
        slim.arg_scope([slim.separable_conv2d], depth_multiplier=1),
        slim.arg_scope([slim.batch_norm], decay=0.99, scale=True, epsilon=0.001),
        slim.arg_scope([slim.dropout], keep_prob=dropout_keep_prob) as scope,
    ):
        return scope


xception.default_image_size = _IMAGE_SIZE  # type: ignore[attr-defined]

ENTRIES = {
    "xception": NetEntry(
        xception, arg_scope, _IMAGE_SIZE, ("xception/Logits",), "inception"
    )
}
