"""VGG: 3x3 convolutions in five stages, then three fully connected layers.

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition", https://arxiv.org/abs/1409.1556, table 1, columns A, B, D and E. ImageNet
top-1/top-5 of the published weights: 71.5/89.8 (VGG-16), 71.1/89.8 (VGG-19); they have
1000 classes, without a background.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from nets import slim
from nets.end_points import EndPoints
from nets.fc_head import fc_head
from nets.net_entry import named

_STAGE_DEPTHS = (64, 128, 256, 512, 512)


def vgg_arg_scope(weight_decay: float = 0.0005) -> dict[str, Any]:
    """The default layer arguments VGG was trained with.

    Args:
      weight_decay: coefficient of the L2 penalty on all weights.

    Returns:
      An arg scope, for `slim.arg_scope`.
    """
    with (
        slim.arg_scope(
            [slim.conv2d, slim.fully_connected],
            activation_fn=tf.nn.relu,
            weights_regularizer=slim.l2_regularizer(weight_decay),
            biases_initializer=tf.compat.v1.zeros_initializer(),
        ),
        slim.arg_scope([slim.conv2d], padding="SAME") as scope,
    ):
        return scope


def _vgg(name: str, *stages: int) -> Callable[..., Any]:
    """The net whose stages have these numbers of convolutions."""

    def network(
        inputs: tf.Tensor,
        num_classes: int | None = 1000,
        is_training: bool = True,
        dropout_keep_prob: float = 0.5,
        spatial_squeeze: bool = True,
        reuse: bool | None = None,
        scope: str = name,
        fc_conv_padding: str = "VALID",
        global_pool: bool = False,
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """VGG for classification.

        Args:
          inputs: `[batch, height, width, channels]` float32, mean colors subtracted.
          num_classes: number of logits; None or 0 returns the output of `fc7`.
          is_training: whether dropout is on.
          dropout_keep_prob: fraction of features kept in training.
          spatial_squeeze: return logits `[batch, num_classes]`; otherwise a map.
          reuse: whether to reuse the variables of `scope`.
          scope: variable scope.
          fc_conv_padding: padding of `fc6`: "VALID" turns 224 pixels into one row of
            logits, "SAME" into a map as large as `pool5`.
          global_pool: average over the feature map before the logits, so that images
            larger than 224 pixels yield one row of logits too.

        Returns:
          The logits (or features), and all end points by name.
        """
        end_points = EndPoints()
        with tf.compat.v1.variable_scope(scope, name, [inputs], reuse=reuse) as root:
            net = _convolutions(inputs, end_points, root.name, stages)
            net = fc_head(
                net,
                end_points,
                root=root.name,
                fc6_depth=4096,
                fc6_kernel=[7, 7],
                fc6_padding=fc_conv_padding,
                num_classes=num_classes,
                is_training=is_training,
                dropout_keep_prob=dropout_keep_prob,
                spatial_squeeze=spatial_squeeze,
                global_pool=global_pool,
            )
        return net, end_points

    return named(network, name, 224)


def _convolutions(
    net: tf.Tensor,
    end_points: dict[str, tf.Tensor],
    root: str,
    stages: tuple[int, ...],
) -> tf.Tensor:
    for stage, (count, depth) in enumerate(zip(stages, _STAGE_DEPTHS, strict=True), 1):
        for i in range(1, count + 1):
            name = f"conv{stage}/conv{stage}_{i}"
            net = slim.conv2d(net, depth, [3, 3], scope=name)
            end_points[f"{root}/{name}"] = net
        net = slim.max_pool2d(net, [2, 2], scope=f"pool{stage}")
        end_points[f"{root}/pool{stage}"] = net
    return net


vgg_a = _vgg("vgg_a", 1, 1, 2, 2, 2)
vgg_13 = vgg_b = _vgg("vgg_13", 2, 2, 2, 2, 2)
vgg_16 = vgg_d = _vgg("vgg_16", 2, 2, 3, 3, 3)
vgg_19 = vgg_e = _vgg("vgg_19", 2, 2, 4, 4, 4)
