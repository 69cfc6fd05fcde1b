"""ResNet v1 of 18 and 34 layers: basic units of two 3x3 convolutions.

He et al., "Deep Residual Learning for Image Recognition",
https://arxiv.org/abs/1512.03385, table 1. slim has neither; they are laid out like
torchvision's, so that its weights fit: the first unit of a block has its stride, and
`pool1` pads by one pixel on every side. ImageNet top-1/top-5 of torchvision's weights:
69.8/89.1 (18 layers), 73.3/91.4 (34); they have 1000 classes and no background class.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from nets import resnet_utils, slim
from nets.net_entry import named
from nets.resnet_utils import conv2d_same


@slim.add_arg_scope
def basic(
    inputs: tf.Tensor,
    depth: int,
    stride: int,
    rate: int = 1,
    outputs_collections: str | None = None,
    scope: str | None = None,
) -> tf.Tensor:
    """A basic unit (figure 5, left).

    Args:
      inputs: `[batch, height, width, channels]` float32.
      depth: output channels.
      stride: stride of the first convolution.
      rate: dilation of both.
      outputs_collections: graph collection that the result is added to.
      scope: variable scope; "basic_v1" by default.

    Returns:
      `[batch, ceil(height / stride), ceil(width / stride), depth]` float32.
    """
    with tf.compat.v1.variable_scope(scope, "basic_v1", [inputs]) as root:
        if depth == inputs.shape[-1]:
            shortcut = resnet_utils.subsample(inputs, stride, "shortcut")
        else:
            shortcut = slim.conv2d(
                inputs,
                depth,
                [1, 1],
                stride=stride,
                activation_fn=None,
                scope="shortcut",
            )
        residual = conv2d_same(inputs, depth, 3, stride, rate=rate, scope="conv1")
        residual = slim.conv2d(
            residual, depth, [3, 3], rate=rate, activation_fn=None, scope="conv2"
        )
        output = tf.nn.relu(shortcut + residual)
        return slim.collect_named_outputs(outputs_collections, root.name, output)


def _root_block(net: tf.Tensor) -> tf.Tensor:
    net = conv2d_same(net, 64, 7, stride=2, scope="conv1")
    net = tf.pad(net, [[0, 0], [1, 1], [1, 1], [0, 0]])  # of values >= 0
    return slim.max_pool2d(net, [3, 3], stride=2, padding="VALID", scope="pool1")


def _resnet_v1(name: str, *num_units: int) -> Callable[..., Any]:
    """The net whose four blocks have these numbers of units."""
    blocks = [
        resnet_utils.Block(
            f"block{i}",
            basic,
            [{"depth": depth, "stride": stride}]
            + [{"depth": depth, "stride": 1}] * (units - 1),
        )
        for i, (depth, units, stride) in enumerate(
            zip((64, 128, 256, 512), num_units, (1, 2, 2, 2), strict=True), 1
        )
    ]

    def network(
        inputs: tf.Tensor,
        num_classes: int | None = None,
        is_training: bool = True,
        global_pool: bool = True,
        spatial_squeeze: bool = True,
        reuse: bool | None = None,
        scope: str = name,
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """A ResNet v1; see `resnet_utils.resnet` for the arguments."""
        return resnet_utils.resnet(
            inputs,
            blocks,
            default_scope=name,
            unit_fns=[basic],
            root_block=_root_block,
            last_layer=lambda net: net,
            num_classes=num_classes,
            is_training=is_training,
            global_pool=global_pool,
            output_stride=None,
            spatial_squeeze=spatial_squeeze,
            store_non_strided_activations=False,
            reuse=reuse,
            scope=scope,
        )

    return named(network, name, 224)


resnet_v1_18 = _resnet_v1("resnet_v1_18", 2, 2, 2, 2)
resnet_v1_34 = _resnet_v1("resnet_v1_34", 3, 4, 6, 3)
