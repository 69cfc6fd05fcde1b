"""Inception v3: factorized convolutions and an auxiliary head.

Szegedy et al., "Rethinking the Inception Architecture for Computer Vision",
https://arxiv.org/abs/1512.00567. ImageNet top-1/top-5 of the published weights:
78.0/93.9.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from nets import inception_utils, slim
from nets.inception_utils import Layer, avg_pool, fork, max_pool, mixed, padded

inception_v3_arg_scope = inception_utils.inception_arg_scope

_Conv = Callable[..., Layer]
_HALVING: dict[str, Any] = {"stride": 2, "padding": "VALID"}


def _root(conv: _Conv) -> dict[str, Layer]:
    """The layers before the first module: table 1 of the paper."""
    return {
        "Conv2d_1a_3x3": conv("Conv2d_1a_3x3", 32, **_HALVING),
        "Conv2d_2a_3x3": conv("Conv2d_2a_3x3", 32, padding="VALID"),
        "Conv2d_2b_3x3": conv("Conv2d_2b_3x3", 64),
        "MaxPool_3a_3x3": max_pool("MaxPool_3a_3x3", **_HALVING),
        "Conv2d_3b_1x1": conv("Conv2d_3b_1x1", 80),
        "Conv2d_4a_3x3": conv("Conv2d_4a_3x3", 192, padding="VALID"),
        "MaxPool_5a_3x3": max_pool("MaxPool_5a_3x3", **_HALVING),
    }


def _mixed_5(
    conv: _Conv,
    pool: Layer,
    pooled: int,
    branch_1: tuple[str, str] = ("Conv2d_0a_1x1", "Conv2d_0b_5x5"),
) -> list[list[Layer]]:
    """Figure 5, with a 5x5 convolution and `pooled` channels after the pooling."""
    return [
        [conv("Conv2d_0a_1x1", 64)],
        [conv(branch_1[0], 48), conv(branch_1[1], 64)],
        [
            conv("Conv2d_0a_1x1", 64),
            conv("Conv2d_0b_3x3", 96),
            conv("Conv2d_0c_3x3", 96),
        ],
        [pool, conv("Conv2d_0b_1x1", pooled)],
    ]


def _mixed_6a(conv: _Conv) -> list[list[Layer]]:
    """Halves the feature map; its last scopes do not end in the kernel size."""
    return [
        [conv("Conv2d_1a_1x1", 384, size=[3, 3], **_HALVING)],
        [
            conv("Conv2d_0a_1x1", 64),
            conv("Conv2d_0b_3x3", 96),
            conv("Conv2d_1a_1x1", 96, size=[3, 3], **_HALVING),
        ],
        [max_pool("MaxPool_1a_3x3", **_HALVING)],
    ]


def _mixed_6(conv: _Conv, pool: Layer, depth: int) -> list[list[Layer]]:
    """Figure 6, for n = 7."""
    return [
        [conv("Conv2d_0a_1x1", 192)],
        [
            conv("Conv2d_0a_1x1", depth),
            conv("Conv2d_0b_1x7", depth),
            conv("Conv2d_0c_7x1", 192),
        ],
        [
            conv("Conv2d_0a_1x1", depth),
            conv("Conv2d_0b_7x1", depth),
            conv("Conv2d_0c_1x7", depth),
            conv("Conv2d_0d_7x1", depth),
            conv("Conv2d_0e_1x7", 192),
        ],
        [pool, conv("Conv2d_0b_1x1", 192)],
    ]


def _mixed_7a(conv: _Conv) -> list[list[Layer]]:
    """Halves the feature map."""
    return [
        [conv("Conv2d_0a_1x1", 192), conv("Conv2d_1a_3x3", 320, **_HALVING)],
        [
            conv("Conv2d_0a_1x1", 192),
            conv("Conv2d_0b_1x7", 192),
            conv("Conv2d_0c_7x1", 192),
            conv("Conv2d_1a_3x3", 192, **_HALVING),
        ],
        [max_pool("MaxPool_1a_3x3", **_HALVING)],
    ]


def _mixed_7(conv: _Conv, pool: Layer, branch_1: str) -> list[list[Layer]]:
    """Figure 7; `branch_1` is the scope of its 3x1 convolution."""
    return [
        [conv("Conv2d_0a_1x1", 320)],
        [
            conv("Conv2d_0a_1x1", 384),
            fork(conv("Conv2d_0b_1x3", 384), conv(branch_1, 384)),
        ],
        [
            conv("Conv2d_0a_1x1", 448),
            conv("Conv2d_0b_3x3", 384),
            fork(conv("Conv2d_0c_1x3", 384), conv("Conv2d_0d_3x1", 384)),
        ],
        [pool, conv("Conv2d_0b_1x1", 192)],
    ]


def _modules(conv: _Conv, pool: Layer) -> dict[str, Layer]:
    branches = {
        "Mixed_5b": _mixed_5(conv, pool, 32),
        "Mixed_5c": _mixed_5(conv, pool, 64, ("Conv2d_0b_1x1", "Conv_1_0c_5x5")),
        "Mixed_5d": _mixed_5(conv, pool, 64),
        "Mixed_6a": _mixed_6a(conv),
        "Mixed_6b": _mixed_6(conv, pool, 128),
        "Mixed_6c": _mixed_6(conv, pool, 160),
        "Mixed_6d": _mixed_6(conv, pool, 160),
        "Mixed_6e": _mixed_6(conv, pool, 192),
        "Mixed_7a": _mixed_7a(conv),
        "Mixed_7b": _mixed_7(conv, pool, "Conv2d_0b_3x1"),
        "Mixed_7c": _mixed_7(conv, pool, "Conv2d_0c_3x1"),
    }
    return {name: mixed(name, *layers) for name, layers in branches.items()}


def inception_v3_base(
    inputs: tf.Tensor,
    final_endpoint: str = "Mixed_7c",
    min_depth: int = 16,
    depth_multiplier: float = 1.0,
    scope: str | None = None,
    counts_padding: bool = False,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The convolutional layers of Inception v3, up to `final_endpoint`.

    Args:
      inputs: `[batch, height, width, channels]` float32.
      final_endpoint: the last end point to build.
      min_depth: minimum number of channels per layer.
      depth_multiplier: width: multiplies the channels of every layer; above 0.
      scope: variable scope; "InceptionV3" by default.
      counts_padding: whether average pools count the zeros of the padding.

    Returns:
      The final end point, and all end points by name.

    Raises:
      ValueError: `depth_multiplier` is not above 0, or an unknown `final_endpoint`.
    """
    if depth_multiplier <= 0:
        raise ValueError(f"depth_multiplier is {depth_multiplier}; it must be above 0.")

    def conv(name: str, channels: int, **options: Any) -> Layer:
        depth = max(int(channels * depth_multiplier), min_depth)
        return inception_utils.conv(name, depth, **options)

    pool = avg_pool("AvgPool_0a_3x3")
    if counts_padding:
        pool = padded((1, 1), avg_pool, "AvgPool_0a_3x3")
    with (
        tf.compat.v1.variable_scope(scope, "InceptionV3", [inputs]),
        slim.arg_scope(
            [slim.conv2d, slim.max_pool2d, slim.avg_pool2d], stride=1, padding="SAME"
        ),
    ):
        table = _root(conv) | _modules(conv, pool)
        return inception_utils.build(inputs, table, final_endpoint)


def inception_v3(
    inputs: tf.Tensor,
    num_classes: int | None = 1000,
    is_training: bool = True,
    dropout_keep_prob: float = 0.8,
    min_depth: int = 16,
    depth_multiplier: float = 1.0,
    prediction_fn: Callable[..., tf.Tensor] = slim.softmax,
    spatial_squeeze: bool = True,
    reuse: bool | None = None,
    create_aux_logits: bool = True,
    scope: str = "InceptionV3",
    global_pool: bool = False,
    counts_padding: bool = False,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Inception v3 for classification.

    Args:
      inputs: `[batch, height, width, channels]` float32, in [-1, 1] for the published
        weights.
      num_classes: number of logits; None or 0 returns the pooled features instead.
      is_training: whether batch norm and dropout run in training mode.
      dropout_keep_prob: fraction of features kept in training.
      min_depth: minimum number of channels per layer of the base.
      depth_multiplier: width: multiplies the channels of every layer; above 0.
      prediction_fn: maps the logits to the end point `Predictions`.
      spatial_squeeze: return logits `[batch, num_classes]`, not `[batch, 1, 1, …]`.
      reuse: whether to reuse the variables of `scope`.
      create_aux_logits: build the auxiliary head, whose end point is `AuxLogits`.
      scope: variable scope.
      global_pool: pool over the whole feature map rather than over 8x8 at most.
      counts_padding: whether average pools count the zeros of the padding, as in
        PyTorch.

    Returns:
      The logits (or features), and all end points by name.

    Raises:
      ValueError: `depth_multiplier` is not above 0.
    """
    with (
        tf.compat.v1.variable_scope(
            scope, "InceptionV3", [inputs], reuse=reuse
        ) as root,
        slim.arg_scope([slim.batch_norm, slim.dropout], is_training=is_training),
    ):
        net, end_points = inception_v3_base(
            inputs,
            min_depth=min_depth,
            depth_multiplier=depth_multiplier,
            scope=root,
            counts_padding=counts_padding,
        )
        if create_aux_logits and num_classes:
            end_points["AuxLogits"] = _aux_logits(
                end_points["Mixed_6e"],
                num_classes,
                lambda depth: max(int(depth * depth_multiplier), min_depth),
                spatial_squeeze,
            )
        logits = inception_utils.head(
            net,
            end_points,
            num_classes,
            side=8,
            dropout_keep_prob=dropout_keep_prob,
            prediction_fn=prediction_fn,
            spatial_squeeze=spatial_squeeze,
            global_pool=global_pool,
        )
    return logits, end_points


inception_v3.default_image_size = 299  # type: ignore[attr-defined]


def _aux_logits(
    net: tf.Tensor,
    num_classes: int,
    depth: Callable[[int], int],
    spatial_squeeze: bool,
) -> tf.Tensor:
    """The classifier on `Mixed_6e` (section 4 of the paper)."""
    normal = inception_utils.truncated_normal
    with (
        tf.compat.v1.variable_scope("AuxLogits"),
        slim.arg_scope([slim.conv2d], stride=1, padding="SAME"),
    ):
        net = slim.avg_pool2d(
            net, [5, 5], stride=3, padding="VALID", scope="AvgPool_1a_5x5"
        )
        net = slim.conv2d(net, depth(128), [1, 1], scope="Conv2d_1b_1x1")
        kernel = [min(side or 5, 5) for side in net.shape.as_list()[1:3]]
        net = slim.conv2d(
            net,
            depth(768),
            kernel,
            weights_initializer=normal(0.01),
            padding="VALID",
            scope="Conv2d_2a_{}x{}".format(*kernel),
        )
        with slim.arg_scope([slim.conv2d], weights_initializer=normal(0.001)):
            return inception_utils.linear(
                net, num_classes, "Conv2d_2b_1x1", spatial_squeeze
            )
