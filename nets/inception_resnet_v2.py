"""Inception-ResNet v2: Inception modules whose output is added to their input.

Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual Connections
on Learning", https://arxiv.org/abs/1602.07261, figures 15 to 19; the stem is Inception
v3's. ImageNet top-1/top-5 of the published weights: 80.4/95.3.
"""

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from nets import inception_utils, slim
from nets.inception_utils import Layer, avg_pool, chain, conv, max_pool, mixed

Activation = Callable[..., tf.Tensor] | None


def _residual(name: str, *sequences: list[Layer]) -> Callable[..., tf.Tensor]:
    """A residual module as a function; `name` is its default scope.

    The branches, projected to the input's channels and scaled (3.3), are added to it.
    """

    def block(
        net: tf.Tensor,
        scale: float = 1.0,
        activation_fn: Activation = tf.nn.relu,
        scope: str | None = None,
        reuse: bool | None = None,
    ) -> tf.Tensor:
        with tf.compat.v1.variable_scope(scope, name, [net], reuse=reuse):
            residual = scale * slim.conv2d(
                inception_utils.branches(net, *sequences),
                net.shape[3],
                [1, 1],
                normalizer_fn=None,
                activation_fn=None,
                scope="Conv2d_1x1",
            )
            if activation_fn is tf.nn.relu6:
                # Bounds the residual for quantization, as relu6 bounds the sum.
                residual = tf.clip_by_value(residual, -6.0, 6.0)
            net += residual
            return activation_fn(net) if activation_fn else net

    return block


# Figure 16.
block35 = _residual(
    "Block35",
    [conv("Conv2d_1x1", 32)],
    [conv("Conv2d_0a_1x1", 32), conv("Conv2d_0b_3x3", 32)],
    [
        conv("Conv2d_0a_1x1", 32),
        conv("Conv2d_0b_3x3", 48),
        conv("Conv2d_0c_3x3", 64),
    ],
)
# Figure 17.
block17 = _residual(
    "Block17",
    [conv("Conv2d_1x1", 192)],
    [
        conv("Conv2d_0a_1x1", 128),
        conv("Conv2d_0b_1x7", 160),
        conv("Conv2d_0c_7x1", 192),
    ],
)
# Figure 19.
block8 = _residual(
    "Block8",
    [conv("Conv2d_1x1", 192)],
    [
        conv("Conv2d_0a_1x1", 192),
        conv("Conv2d_0b_1x3", 224),
        conv("Conv2d_0c_3x1", 256),
    ],
)


def _repeat(
    scope: str,
    count: int,
    block: Callable[..., tf.Tensor],
    scale: float,
    activation_fn: Activation,
) -> Layer:
    """`count` blocks, named `<scope>_1` and up."""

    def layer(net: tf.Tensor) -> tf.Tensor:
        for i in range(1, count + 1):
            net = block(net, scale, activation_fn, f"{scope}_{i}")
        return net

    return layer


def _stem(padding: str) -> dict[str, Layer]:
    """The layers up to `Mixed_5b`, none of them residual."""
    return {
        "Conv2d_1a_3x3": conv("Conv2d_1a_3x3", 32, stride=2, padding=padding),
        "Conv2d_2a_3x3": conv("Conv2d_2a_3x3", 32, padding=padding),
        "Conv2d_2b_3x3": conv("Conv2d_2b_3x3", 64),
        "MaxPool_3a_3x3": max_pool("MaxPool_3a_3x3", stride=2, padding=padding),
        "Conv2d_3b_1x1": conv("Conv2d_3b_1x1", 80, padding=padding),
        "Conv2d_4a_3x3": conv("Conv2d_4a_3x3", 192, padding=padding),
        "MaxPool_5a_3x3": max_pool("MaxPool_5a_3x3", stride=2, padding=padding),
        "Mixed_5b": mixed(
            "Mixed_5b",
            [conv("Conv2d_1x1", 96)],
            [conv("Conv2d_0a_1x1", 48), conv("Conv2d_0b_5x5", 64)],
            [
                conv("Conv2d_0a_1x1", 64),
                conv("Conv2d_0b_3x3", 96),
                conv("Conv2d_0c_3x3", 96),
            ],
            [avg_pool("AvgPool_0a_3x3"), conv("Conv2d_0b_1x1", 64)],
        ),
    }


def _body(padding: str, atrous: bool, activation_fn: Activation) -> dict[str, Layer]:
    """The residual modules; repeats belong to the end point that follows them."""
    half: dict[str, Any] = {"stride": 2, "padding": padding}
    half_6a = {**half, "stride": 1 if atrous else 2}
    mixed_6a = mixed(
        "Mixed_6a",
        [conv("Conv2d_1a_3x3", 384, **half_6a)],
        [
            conv("Conv2d_0a_1x1", 256),
            conv("Conv2d_0b_3x3", 256),
            conv("Conv2d_1a_3x3", 384, **half_6a),
        ],
        [max_pool("MaxPool_1a_3x3", **half_6a)],
    )
    mixed_7a = mixed(
        "Mixed_7a",
        [conv("Conv2d_0a_1x1", 256), conv("Conv2d_1a_3x3", 384, **half)],
        [conv("Conv2d_0a_1x1", 256), conv("Conv2d_1a_3x3", 288, **half)],
        [
            conv("Conv2d_0a_1x1", 256),
            conv("Conv2d_0b_3x3", 288),
            conv("Conv2d_1a_3x3", 320, **half),
        ],
        [max_pool("MaxPool_1a_3x3", **half)],
    )
    blocks17 = _repeat("Repeat_1/block17", 20, block17, 0.10, activation_fn)

    def pre_aux_logits(net: tf.Tensor) -> tf.Tensor:
        with slim.arg_scope([slim.conv2d], rate=2 if atrous else 1):
            return blocks17(net)

    return {
        "Mixed_6a": chain(
            _repeat("Repeat/block35", 10, block35, 0.17, activation_fn), mixed_6a
        ),
        "PreAuxLogits": pre_aux_logits,
        "Mixed_7a": mixed_7a,
        "Conv2d_7b_1x1": chain(
            _repeat("Repeat_2/block8", 9, block8, 0.20, activation_fn),
            functools.partial(block8, activation_fn=None, scope="Block8"),
            conv("Conv2d_7b_1x1", 1536),
        ),
    }


def inception_resnet_v2_base(
    inputs: tf.Tensor,
    final_endpoint: str = "Conv2d_7b_1x1",
    output_stride: int = 16,
    align_feature_maps: bool = False,
    scope: str | None = None,
    activation_fn: Activation = tf.nn.relu,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The convolutional layers of Inception-ResNet v2, up to `final_endpoint`.

    Args:
      inputs: `[batch, height, width, channels]` float32.
      final_endpoint: the last end point to build.
      output_stride: stride of `PreAuxLogits`: 16, or 8 by dilated (atrous)
        convolutions, in which case the net ends at `PreAuxLogits`.
      align_feature_maps: pad with SAME everywhere, which aligns the feature maps; the
        published weights need False.
      scope: variable scope; "InceptionResnetV2" by default.
      activation_fn: activation of the residual modules.

    Returns:
      The final end point, and all end points by name.

    Raises:
      ValueError: unknown `final_endpoint`, or an `output_stride` it does not allow.
    """
    if output_stride not in (8, 16):
        raise ValueError(f"output_stride is {output_stride}; it must be 8 or 16.")
    if output_stride == 8 and final_endpoint in ("Mixed_7a", "Conv2d_7b_1x1"):
        raise ValueError("output_stride=8 needs a final_endpoint up to PreAuxLogits.")
    padding = "SAME" if align_feature_maps else "VALID"
    table = {**_stem(padding), **_body(padding, output_stride == 8, activation_fn)}
    with (
        tf.compat.v1.variable_scope(scope, "InceptionResnetV2", [inputs]),
        slim.arg_scope(
            [slim.conv2d, slim.max_pool2d, slim.avg_pool2d], stride=1, padding="SAME"
        ),
    ):
        return inception_utils.build(inputs, table, final_endpoint)


def inception_resnet_v2(
    inputs: tf.Tensor,
    num_classes: int | None = 1001,
    is_training: bool = True,
    dropout_keep_prob: float = 0.8,
    reuse: bool | None = None,
    scope: str = "InceptionResnetV2",
    create_aux_logits: bool = True,
    activation_fn: Activation = tf.nn.relu,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Inception-ResNet v2 for classification.

    Images must be at least 75 pixels wide and high, 107 with the auxiliary head.

    Args:
      inputs: `[batch, height, width, channels]` float32, in [-1, 1] for the published
        weights.
      num_classes: number of logits; None or 0 returns the pooled features instead.
      is_training: whether batch norm and dropout run in training mode.
      dropout_keep_prob: fraction of features kept in training.
      reuse: whether to reuse the variables of `scope`.
      scope: variable scope.
      create_aux_logits: build the auxiliary head, whose weights fit one image size.
      activation_fn: activation of the residual modules.

    Returns:
      The logits (or features `[batch, 1, 1, 1536]`), and all end points by name.
    """
    with (
        tf.compat.v1.variable_scope(
            scope, "InceptionResnetV2", [inputs], reuse=reuse
        ) as root,
        slim.arg_scope([slim.batch_norm, slim.dropout], is_training=is_training),
    ):
        net, end_points = inception_resnet_v2_base(
            inputs, scope=root, activation_fn=activation_fn
        )
        if create_aux_logits and num_classes:
            end_points["AuxLogits"] = inception_utils.aux_logits(
                end_points["PreAuxLogits"], num_classes, "Conv2d_2a_5x5", "Logits"
            )
        logits = inception_utils.flat_head(
            net, end_points, num_classes, dropout_keep_prob
        )
    return logits, end_points


inception_resnet_v2.default_image_size = 299  # type: ignore[attr-defined]


def inception_resnet_v2_arg_scope(
    weight_decay: float = 0.00004,
    batch_norm_decay: float = 0.9997,
    batch_norm_epsilon: float = 0.001,
    activation_fn: Activation = tf.nn.relu,
    batch_norm_updates_collections: str | None = tf.compat.v1.GraphKeys.UPDATE_OPS,
    batch_norm_scale: bool = False,
) -> dict[str, Any]:
    """The default layer arguments Inception-ResNet v2 was trained with.

    Args:
      weight_decay: coefficient of the L2 penalty on weights and, only here, biases.
      batch_norm_decay: decay of the moving statistics.
      batch_norm_epsilon: added to the variance.
      activation_fn: activation of the convolutions that do not set their own.
      batch_norm_updates_collections: graph collection for the update ops; None updates
        in place.
      batch_norm_scale: whether batch norm has a gamma; the published net has none.

    Returns:
      An arg scope, for `slim.arg_scope`.
    """
    with (
        slim.arg_scope(
            inception_utils.inception_arg_scope(
                weight_decay,
                batch_norm_decay=batch_norm_decay,
                batch_norm_epsilon=batch_norm_epsilon,
                activation_fn=activation_fn,
                batch_norm_updates_collections=batch_norm_updates_collections,
                batch_norm_scale=batch_norm_scale,
            )
        ),
        slim.arg_scope(
            [slim.conv2d, slim.fully_connected],
            weights_initializer=slim.xavier_initializer(),
            biases_regularizer=slim.l2_regularizer(weight_decay),
        ) as scope,
    ):
        return scope
