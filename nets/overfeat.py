"""OverFeat, the "fast" model.

Sermanet et al., "OverFeat: Integrated Recognition, Localization and Detection using
Convolutional Networks", https://arxiv.org/abs/1312.6229, table 1. No weights were
published for slim. Its preprocessing subtracts mean colors, as VGG's does.
"""

import functools
from typing import Any

import tensorflow as tf

from nets import slim
from nets.end_points import EndPoints
from nets.fc_head import fc_head

_CONV = functools.partial(slim.conv2d, kernel_size=[3, 3])
_POOL = functools.partial(slim.max_pool2d, kernel_size=[2, 2])
_LAYERS = {
    "conv1": functools.partial(
        slim.conv2d, num_outputs=64, kernel_size=[11, 11], stride=4, padding="VALID"
    ),
    "pool1": _POOL,
    "conv2": functools.partial(
        slim.conv2d, num_outputs=256, kernel_size=[5, 5], padding="VALID"
    ),
    "pool2": _POOL,
    "conv3": functools.partial(_CONV, num_outputs=512),
    "conv4": functools.partial(_CONV, num_outputs=1024),
    "conv5": functools.partial(_CONV, num_outputs=1024),
    "pool5": _POOL,
}


def overfeat_arg_scope(weight_decay: float = 0.0005) -> dict[str, Any]:
    """The default layer arguments of OverFeat.

    Args:
      weight_decay: coefficient of the L2 penalty on all weights.

    Returns:
      An arg scope, for `slim.arg_scope`.
    """
    with (
        slim.arg_scope(
            [slim.conv2d, slim.fully_connected],
            activation_fn=tf.nn.relu,
            biases_initializer=tf.compat.v1.zeros_initializer(),
            weights_regularizer=slim.l2_regularizer(weight_decay),
        ),
        slim.arg_scope([slim.conv2d], padding="SAME"),
        slim.arg_scope([slim.max_pool2d], padding="VALID") as scope,
    ):
        return scope


def overfeat(
    inputs: tf.Tensor,
    num_classes: int | None = 1000,
    is_training: bool = True,
    dropout_keep_prob: float = 0.5,
    spatial_squeeze: bool = True,
    scope: str = "overfeat",
    global_pool: bool = False,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """OverFeat for classification.

    Args:
      inputs: `[batch, height, width, channels]` float32, mean colors subtracted.
      num_classes: number of logits; None or 0 returns the output of `fc7`.
      is_training: whether dropout is on.
      dropout_keep_prob: fraction of features kept in training.
      spatial_squeeze: return logits `[batch, num_classes]`; otherwise a map.
      scope: variable scope.
      global_pool: average over the feature map before the logits, so that images
        larger than 231 pixels yield one row of logits too.

    Returns:
      The logits (or features), and all end points by name.
    """
    end_points = EndPoints()
    with tf.compat.v1.variable_scope(scope, "overfeat", [inputs]) as root:
        net = inputs
        for name, layer in _LAYERS.items():
            net = end_points[f"{root.name}/{name}"] = layer(net, scope=name)
        with slim.arg_scope(
            [slim.conv2d],
            weights_initializer=tf.compat.v1.truncated_normal_initializer(0.0, 0.005),
            biases_initializer=tf.compat.v1.constant_initializer(0.1),
        ):
            net = fc_head(
                net,
                end_points,
                root=root.name,
                fc6_depth=3072,
                fc6_kernel=[6, 6],
                num_classes=num_classes,
                is_training=is_training,
                dropout_keep_prob=dropout_keep_prob,
                spatial_squeeze=spatial_squeeze,
                global_pool=global_pool,
            )
    return net, end_points


overfeat.default_image_size = 231  # type: ignore[attr-defined]
