"""Inception v2: Inception v1 with batch norm and factorized 5x5 convolutions.

Ioffe and Szegedy, "Batch Normalization", https://arxiv.org/abs/1502.03167, figure 5;
the first layer is a separable convolution. ImageNet top-1/top-5 of the published
weights: 73.9/91.8.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from nets import inception_utils, slim
from nets.inception_utils import Layer, avg_pool, max_pool, truncated_normal

inception_v2_arg_scope = inception_utils.inception_arg_scope

_REDUCING = {"weights_initializer": truncated_normal(0.09)}  # before a 3x3
_PROJECTING = {"weights_initializer": truncated_normal(0.1)}  # after a pooling


class _Module(NamedTuple):
    """Channels of the four branches, the last of which follows a pooling."""

    branch_0: int
    branch_1: tuple[int, int]
    branch_2: tuple[int, int, int]
    branch_3: int
    pool: Layer = avg_pool("AvgPool_0a_3x3")

    def branches(self, conv: Callable[..., Layer]) -> tuple[list[Layer], ...]:
        """The layers of each branch."""
        return (
            [conv("Conv2d_0a_1x1", self.branch_0)],
            [
                conv("Conv2d_0a_1x1", self.branch_1[0], **_REDUCING),
                conv("Conv2d_0b_3x3", self.branch_1[1]),
            ],
            [
                conv("Conv2d_0a_1x1", self.branch_2[0], **_REDUCING),
                conv("Conv2d_0b_3x3", self.branch_2[1]),
                conv("Conv2d_0c_3x3", self.branch_2[2]),
            ],
            [self.pool, conv("Conv2d_0b_1x1", self.branch_3, **_PROJECTING)],
        )


class _Reduction(NamedTuple):
    """Channels of the two branches that, next to a pooling, halve the feature map."""

    branch_0: tuple[int, int]
    branch_1: tuple[int, int, int]

    def branches(self, conv: Callable[..., Layer]) -> tuple[list[Layer], ...]:
        """The layers of each branch."""
        return (
            [
                conv("Conv2d_0a_1x1", self.branch_0[0], **_REDUCING),
                conv("Conv2d_1a_3x3", self.branch_0[1], stride=2),
            ],
            [
                conv("Conv2d_0a_1x1", self.branch_1[0], **_REDUCING),
                conv("Conv2d_0b_3x3", self.branch_1[1]),
                conv("Conv2d_1a_3x3", self.branch_1[2], stride=2),
            ],
            [max_pool("MaxPool_1a_3x3", stride=2)],
        )


_MODULES: dict[str, _Module | _Reduction] = {
    "Mixed_3b": _Module(64, (64, 64), (64, 96, 96), 32),
    "Mixed_3c": _Module(64, (64, 96), (64, 96, 96), 64),
    "Mixed_4a": _Reduction((128, 160), (64, 96, 96)),
    "Mixed_4b": _Module(224, (64, 96), (96, 128, 128), 128),
    "Mixed_4c": _Module(192, (96, 128), (96, 128, 128), 128),
    "Mixed_4d": _Module(160, (128, 160), (128, 160, 160), 96),
    "Mixed_4e": _Module(96, (128, 192), (160, 192, 192), 96),
    "Mixed_5a": _Reduction((128, 192), (192, 256, 256)),
    "Mixed_5b": _Module(352, (192, 320), (160, 224, 224), 128),
    "Mixed_5c": _Module(
        352, (192, 320), (192, 224, 224), 128, max_pool("MaxPool_0a_3x3")
    ),
}


def _root(
    depth: Callable[[int], int], conv: Callable[..., Layer], use_separable_conv: bool
) -> dict[str, Layer]:
    """The layers before the first module."""
    first: dict[str, Any] = {"stride": 2, "weights_initializer": truncated_normal(1.0)}
    separable_conv_1a = functools.partial(
        slim.separable_conv2d,
        num_outputs=depth(64),
        kernel_size=[7, 7],
        depth_multiplier=min(depth(64) // 3, 8),
        scope="Conv2d_1a_7x7",
        **first,
    )
    return {
        "Conv2d_1a_7x7": separable_conv_1a
        if use_separable_conv
        else conv("Conv2d_1a_7x7", 64, **first),
        "MaxPool_2a_3x3": max_pool("MaxPool_2a_3x3", stride=2),
        "Conv2d_2b_1x1": conv("Conv2d_2b_1x1", 64, **_PROJECTING),
        "Conv2d_2c_3x3": conv("Conv2d_2c_3x3", 192),
        "MaxPool_3a_3x3": max_pool("MaxPool_3a_3x3", stride=2),
    }


def inception_v2_base(
    inputs: tf.Tensor,
    final_endpoint: str = "Mixed_5c",
    min_depth: int = 16,
    depth_multiplier: float = 1.0,
    use_separable_conv: bool = True,
    data_format: str = "NHWC",
    include_root_block: bool = True,
    scope: str | None = None,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The convolutional layers of Inception v2, up to `final_endpoint`.

    Args:
      inputs: `[batch, height, width, channels]` float32, or as `data_format` says.
      final_endpoint: the last end point to build.
      min_depth: minimum number of channels per layer.
      depth_multiplier: width: multiplies the channels of every layer; above 0.
      use_separable_conv: whether the first layer is a separable convolution.
      data_format: "NHWC", or "NCHW" without the separable convolution.
      include_root_block: False omits everything before `Mixed_3b`; `inputs` is then
        an output of `MaxPool_3a_3x3`.
      scope: variable scope; "InceptionV2" by default.

    Returns:
      The final end point, and all end points by name.

    Raises:
      ValueError: `depth_multiplier` out of range, an unknown `final_endpoint` or
        `data_format`, or a separable convolution on "NCHW".
    """
    if depth_multiplier <= 0:
        raise ValueError(f"depth_multiplier is {depth_multiplier}; it must be above 0.")
    if data_format not in ("NHWC", "NCHW"):
        raise ValueError(f"data_format is {data_format}; expected NHWC or NCHW.")
    if data_format == "NCHW" and use_separable_conv:
        raise ValueError(
            "NCHW has no separable convolution; pass use_separable_conv=False."
        )

    def depth(channels: int) -> int:
        return max(int(channels * depth_multiplier), min_depth)

    def conv(name: str, channels: int, **options: Any) -> Layer:
        return inception_utils.conv(name, depth(channels), **options)

    axis = data_format.index("C")
    table = _root(depth, conv, use_separable_conv) if include_root_block else {}
    for name, module in _MODULES.items():
        table[name] = inception_utils.mixed(name, *module.branches(conv), axis=axis)
    with (
        tf.compat.v1.variable_scope(scope, "InceptionV2", [inputs]),
        slim.arg_scope(
            [slim.conv2d, slim.max_pool2d, slim.avg_pool2d],
            stride=1,
            padding="SAME",
            data_format=data_format,
        ),
    ):
        return inception_utils.build(inputs, table, final_endpoint)


def inception_v2(
    inputs: tf.Tensor,
    num_classes: int | None = 1000,
    is_training: bool = True,
    dropout_keep_prob: float = 0.8,
    min_depth: int = 16,
    depth_multiplier: float = 1.0,
    prediction_fn: Callable[..., tf.Tensor] = slim.softmax,
    spatial_squeeze: bool = True,
    reuse: bool | None = None,
    scope: str = "InceptionV2",
    global_pool: bool = False,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Inception v2 for classification.

    Args:
      inputs: `[batch, height, width, channels]` float32, in [-1, 1] for the published
        weights.
      num_classes: number of logits; None or 0 returns the pooled features instead.
      is_training: whether batch norm and dropout run in training mode.
      dropout_keep_prob: fraction of features kept in training.
      min_depth: see `inception_v2_base`.
      depth_multiplier: see `inception_v2_base`.
      prediction_fn: maps the logits to the end point `Predictions`.
      spatial_squeeze: return logits `[batch, num_classes]`, not `[batch, 1, 1, …]`.
      reuse: whether to reuse the variables of `scope`.
      scope: variable scope.
      global_pool: pool over the whole feature map rather than over 7x7 at most.

    Returns:
      The logits (or features), and all end points by name.
    """
    with (
        tf.compat.v1.variable_scope(
            scope, "InceptionV2", [inputs], reuse=reuse
        ) as root,
        slim.arg_scope([slim.batch_norm, slim.dropout], is_training=is_training),
    ):
        net, end_points = inception_v2_base(
            inputs, scope=root, min_depth=min_depth, depth_multiplier=depth_multiplier
        )
        logits = inception_utils.head(
            net,
            end_points,
            num_classes,
            side=7,
            dropout_keep_prob=dropout_keep_prob,
            prediction_fn=prediction_fn,
            spatial_squeeze=spatial_squeeze,
            global_pool=global_pool,
        )
    return logits, end_points


inception_v2.default_image_size = 224  # type: ignore[attr-defined]
