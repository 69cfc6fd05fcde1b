"""ResNet v1: bottleneck units with the activation after the addition.

He et al., "Deep Residual Learning for Image Recognition",
https://arxiv.org/abs/1512.03385, table 1; as in slim, the last unit of a block has
its stride. ImageNet top-1/top-5 of the published weights: 75.2/92.2 (50 layers),
76.4/92.9 (101), 76.8/93.2 (152); they have 1000 classes and no background class.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from nets import resnet_utils, slim
from nets.net_entry import named
from nets.resnet_utils import conv2d_same

resnet_arg_scope = resnet_utils.resnet_arg_scope


@slim.add_arg_scope
def bottleneck(
    inputs: tf.Tensor,
    depth: int,
    depth_bottleneck: int,
    stride: int,
    rate: int = 1,
    outputs_collections: str | None = None,
    scope: str | None = None,
    use_bounded_activations: bool = False,
) -> tf.Tensor:
    """A bottleneck unit (figure 5, right): 1x1, 3x3 and 1x1 convolutions.

    Args:
      inputs: `[batch, height, width, channels]` float32.
      depth: output channels.
      depth_bottleneck: channels of the first two convolutions.
      stride: stride of the 3x3 convolution.
      rate: its dilation.
      outputs_collections: graph collection that the result is added to.
      scope: variable scope; "bottleneck_v1" by default.
      use_bounded_activations: keep outputs within [0, 6], for quantized inference.

    Returns:
      `[batch, ceil(height / stride), ceil(width / stride), depth]` float32.
    """
    with tf.compat.v1.variable_scope(scope, "bottleneck_v1", [inputs]) as root:
        if depth == inputs.shape[-1]:
            shortcut = resnet_utils.subsample(inputs, stride, "shortcut")
        else:
            shortcut = slim.conv2d(
                inputs,
                depth,
                [1, 1],
                stride=stride,
                activation_fn=tf.nn.relu6 if use_bounded_activations else None,
                scope="shortcut",
            )
        residual = slim.conv2d(inputs, depth_bottleneck, [1, 1], scope="conv1")
        residual = conv2d_same(
            residual, depth_bottleneck, 3, stride, rate=rate, scope="conv2"
        )
        residual = slim.conv2d(
            residual, depth, [1, 1], activation_fn=None, scope="conv3"
        )
        if use_bounded_activations:
            residual = tf.clip_by_value(residual, -6.0, 6.0)
        activation_fn = tf.nn.relu6 if use_bounded_activations else tf.nn.relu
        output = activation_fn(shortcut + residual)
        return slim.collect_named_outputs(outputs_collections, root.name, output)


def _root_block(net: tf.Tensor) -> tf.Tensor:
    net = conv2d_same(net, 64, 7, stride=2, scope="conv1")
    return slim.max_pool2d(net, [3, 3], stride=2, scope="pool1")


def resnet_v1(
    inputs: tf.Tensor,
    blocks: Sequence[Any],
    num_classes: int | None = None,
    is_training: bool | None = True,
    global_pool: bool = True,
    output_stride: int | None = None,
    include_root_block: bool = True,
    spatial_squeeze: bool = True,
    store_non_strided_activations: bool = False,
    reuse: bool | None = None,
    scope: str | None = None,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """A ResNet v1 of arbitrary blocks; see `resnet_utils.resnet` for the arguments.

    `include_root_block=False` omits `conv1` and `pool1`.
    """
    return resnet_utils.resnet(
        inputs,
        blocks,
        default_scope="resnet_v1",
        unit_fns=[bottleneck],
        root_block=_root_block if include_root_block else None,
        last_layer=lambda net: net,
        num_classes=num_classes,
        is_training=is_training,
        global_pool=global_pool,
        output_stride=output_stride,
        spatial_squeeze=spatial_squeeze,
        store_non_strided_activations=store_non_strided_activations,
        reuse=reuse,
        scope=scope,
    )


resnet_v1.default_image_size = 224  # type: ignore[attr-defined]


def resnet_v1_block(scope: str, base_depth: int, num_units: int, stride: int) -> Any:
    """A block of `num_units` bottlenecks of `4 * base_depth` channels.

    The last unit has the stride.
    """
    unit = {"depth": base_depth * 4, "depth_bottleneck": base_depth, "stride": 1}
    units = [unit] * (num_units - 1) + [{**unit, "stride": stride}]
    return resnet_utils.Block(scope, bottleneck, units)


def _resnet_v1(name: str, *num_units: int) -> Callable[..., Any]:
    """The net whose four blocks have these numbers of units."""

    def network(
        inputs: tf.Tensor,
        num_classes: int | None = None,
        is_training: bool = True,
        global_pool: bool = True,
        output_stride: int | None = None,
        spatial_squeeze: bool = True,
        store_non_strided_activations: bool = False,
        min_base_depth: int = 8,
        depth_multiplier: float = 1,
        reuse: bool | None = None,
        scope: str = name,
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """A ResNet v1; see `resnet_utils.resnet` for the arguments.

        Bottlenecks have `depth_multiplier` times their channels, and at least
        `min_base_depth`.
        """
        blocks = [
            resnet_v1_block(
                f"block{i}", max(int(depth * depth_multiplier), min_base_depth), n, s
            )
            for i, (depth, n, s) in enumerate(
                zip((64, 128, 256, 512), num_units, (2, 2, 2, 1), strict=True), 1
            )
        ]
        return resnet_v1(
            inputs,
            blocks,
            num_classes,
            is_training,
            global_pool=global_pool,
            output_stride=output_stride,
            spatial_squeeze=spatial_squeeze,
            store_non_strided_activations=store_non_strided_activations,
            reuse=reuse,
            scope=scope,
        )

    return named(network, name, 224)


resnet_v1_50 = _resnet_v1("resnet_v1_50", 3, 4, 6, 3)
resnet_v1_101 = _resnet_v1("resnet_v1_101", 3, 4, 23, 3)
resnet_v1_152 = _resnet_v1("resnet_v1_152", 3, 8, 36, 3)
resnet_v1_200 = _resnet_v1("resnet_v1_200", 3, 24, 36, 3)
