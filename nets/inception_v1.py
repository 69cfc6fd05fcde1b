"""Inception v1 (GoogLeNet), with batch norm and without the auxiliary heads.

Szegedy et al., "Going Deeper with Convolutions", https://arxiv.org/abs/1409.4842,
table 1, with 3x3 instead of 5x5 convolutions, as in the published weights. ImageNet
top-1/top-5 of these: 69.8/89.6; of torchvision's, which need other padding, 69.8/89.5.
"""

from collections.abc import Callable, Mapping

import tensorflow as tf

from nets import inception_utils, slim
from nets.inception_utils import Layer, conv, max_pool, mixed, padded

inception_v1_arg_scope = inception_utils.inception_arg_scope

_ROOT: Mapping[str, Layer] = {
    "Conv2d_1a_7x7": conv("Conv2d_1a_7x7", 64, stride=2),
    "MaxPool_2a_3x3": max_pool("MaxPool_2a_3x3", stride=2),
    "Conv2d_2b_1x1": conv("Conv2d_2b_1x1", 64),
    "Conv2d_2c_3x3": conv("Conv2d_2c_3x3", 192),
    "MaxPool_3a_3x3": max_pool("MaxPool_3a_3x3", stride=2),
}


def _module(
    name: str,
    branch_0: int,
    branch_1: tuple[int, int],
    branch_2: tuple[int, int],
    branch_3: int,
    branch_2_scope: str = "Conv2d_0b_3x3",
) -> tuple[str, Layer]:
    """A row of table 1: "#1x1"; "#3x3" and "#5x5" with their reductions; "pool"."""
    return name, mixed(
        name,
        [conv("Conv2d_0a_1x1", branch_0)],
        [conv("Conv2d_0a_1x1", branch_1[0]), conv("Conv2d_0b_3x3", branch_1[1])],
        [conv("Conv2d_0a_1x1", branch_2[0]), conv(branch_2_scope, branch_2[1])],
        [max_pool("MaxPool_0a_3x3"), conv("Conv2d_0b_1x1", branch_3)],
    )


_BODY: Mapping[str, Layer] = dict(
    [
        _module("Mixed_3b", 64, (96, 128), (16, 32), 32),
        _module("Mixed_3c", 128, (128, 192), (32, 96), 64),
        ("MaxPool_4a_3x3", max_pool("MaxPool_4a_3x3", stride=2)),
        _module("Mixed_4b", 192, (96, 208), (16, 48), 64),
        _module("Mixed_4c", 160, (112, 224), (24, 64), 64),
        _module("Mixed_4d", 128, (128, 256), (24, 64), 64),
        _module("Mixed_4e", 112, (144, 288), (32, 64), 64),
        _module("Mixed_4f", 256, (160, 320), (32, 128), 128),
        ("MaxPool_5a_2x2", max_pool("MaxPool_5a_2x2", stride=2)),
        # In this module alone, the published weights use this scope.
        _module("Mixed_5b", 256, (160, 320), (32, 128), 128, "Conv2d_0a_3x3"),
        _module("Mixed_5c", 384, (192, 384), (48, 128), 128),
    ]
)
# torchvision pads the convolution equally on every side, the pools only at the bottom
# and on the right. "SAME" does so for some image sizes only.
_EXPLICITLY_PADDED: Mapping[str, Layer] = {
    "Conv2d_1a_7x7": padded((3, 3), conv, "Conv2d_1a_7x7", 64, stride=2),
    "MaxPool_2a_3x3": padded((0, 1), max_pool, "MaxPool_2a_3x3", stride=2),
    "MaxPool_3a_3x3": padded((0, 1), max_pool, "MaxPool_3a_3x3", stride=2),
    "MaxPool_4a_3x3": padded((0, 1), max_pool, "MaxPool_4a_3x3", stride=2),
}


def inception_v1_base(
    inputs: tf.Tensor,
    final_endpoint: str = "Mixed_5c",
    include_root_block: bool = True,
    scope: str = "InceptionV1",
    use_explicit_padding: bool = False,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The convolutional layers of Inception v1, up to `final_endpoint`.

    Args:
      inputs: `[batch, height, width, channels]` float32.
      final_endpoint: the last end point to build.
      include_root_block: False omits everything before `Mixed_3b`; `inputs` is then
        an output of `MaxPool_3a_3x3`.
      scope: variable scope.
      use_explicit_padding: pad strided layers as torchvision does.

    Returns:
      The final end point, and all end points by name.

    Raises:
      ValueError: an unknown `final_endpoint`.
    """
    table = {**_ROOT, **_BODY}
    if use_explicit_padding:
        table |= _EXPLICITLY_PADDED
    if not include_root_block:
        table = {name: table[name] for name in _BODY}
    with (
        tf.compat.v1.variable_scope(scope, "InceptionV1", [inputs]),
        slim.arg_scope(
            [slim.conv2d, slim.fully_connected],
            weights_initializer=inception_utils.truncated_normal(0.01),
        ),
        slim.arg_scope([slim.conv2d, slim.max_pool2d], stride=1, padding="SAME"),
    ):
        return inception_utils.build(inputs, table, final_endpoint)


def inception_v1(
    inputs: tf.Tensor,
    num_classes: int | None = 1000,
    is_training: bool = True,
    dropout_keep_prob: float = 0.8,
    prediction_fn: Callable[..., tf.Tensor] = slim.softmax,
    spatial_squeeze: bool = True,
    reuse: bool | None = None,
    scope: str = "InceptionV1",
    global_pool: bool = False,
    use_explicit_padding: bool = False,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Inception v1 for classification.

    Args:
      inputs: `[batch, height, width, channels]` float32, in [-1, 1] for the published
        weights.
      num_classes: number of logits; None or 0 returns the pooled features instead.
      is_training: whether batch norm and dropout run in training mode.
      dropout_keep_prob: fraction of features kept in training.
      prediction_fn: maps the logits to the end point `Predictions`.
      spatial_squeeze: return logits `[batch, num_classes]`, not `[batch, 1, 1, …]`.
      reuse: whether to reuse the variables of `scope`.
      scope: variable scope.
      global_pool: pool over the whole feature map rather than over 7x7 at most.
      use_explicit_padding: pad strided layers as torchvision does.

    Returns:
      The logits (or features), and all end points by name.
    """
    with (
        tf.compat.v1.variable_scope(
            scope, "InceptionV1", [inputs], reuse=reuse
        ) as root,
        slim.arg_scope([slim.batch_norm, slim.dropout], is_training=is_training),
    ):
        net, end_points = inception_v1_base(
            inputs, scope=root, use_explicit_padding=use_explicit_padding
        )
        with tf.compat.v1.variable_scope("Logits"):
            net = inception_utils.pool(net, 7, "AvgPool_0a_7x7", global_pool)
            end_points["global_pool" if global_pool else "AvgPool_0a_7x7"] = net
            if not num_classes:
                return net, end_points
            net = slim.dropout(net, keep_prob=dropout_keep_prob, scope="Dropout_0b")
            logits = inception_utils.linear(
                net, num_classes, "Conv2d_0c_1x1", spatial_squeeze
            )
            end_points["Logits"] = logits
            end_points["Predictions"] = prediction_fn(logits, scope="Predictions")
    return logits, end_points


inception_v1.default_image_size = 224  # type: ignore[attr-defined]
