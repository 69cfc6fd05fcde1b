"""Inception v4: one stem and three kinds of module, each repeated.

Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual Connections
on Learning", https://arxiv.org/abs/1602.07261, figures 3 to 9. ImageNet top-1/top-5 of
the published weights: 80.2/95.2.
"""

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from nets import inception_utils, slim
from nets.inception_utils import Layer, avg_pool, conv, fork, max_pool, mixed

inception_v4_arg_scope = inception_utils.inception_arg_scope

_VALID_STRIDE_2: dict[str, Any] = {"stride": 2, "padding": "VALID"}


def _block(name: str, *sequences: list[Layer]) -> Callable[..., tf.Tensor]:
    """A module as a function, as in slim; `name` is its default scope."""

    def block(
        inputs: tf.Tensor, scope: str | None = None, reuse: bool | None = None
    ) -> tf.Tensor:
        with (
            tf.compat.v1.variable_scope(scope, name, [inputs], reuse=reuse),
            slim.arg_scope(
                [slim.conv2d, slim.avg_pool2d, slim.max_pool2d],
                stride=1,
                padding="SAME",
            ),
        ):
            return inception_utils.branches(inputs, *sequences)

    return block


# Figure 3.
_STEM: dict[str, Layer] = {
    "Conv2d_1a_3x3": conv("Conv2d_1a_3x3", 32, **_VALID_STRIDE_2),
    "Conv2d_2a_3x3": conv("Conv2d_2a_3x3", 32, padding="VALID"),
    "Conv2d_2b_3x3": conv("Conv2d_2b_3x3", 64),
    "Mixed_3a": mixed(
        "Mixed_3a",
        [max_pool("MaxPool_0a_3x3", **_VALID_STRIDE_2)],
        [conv("Conv2d_0a_3x3", 96, **_VALID_STRIDE_2)],
    ),
    "Mixed_4a": mixed(
        "Mixed_4a",
        [conv("Conv2d_0a_1x1", 64), conv("Conv2d_1a_3x3", 96, padding="VALID")],
        [
            conv("Conv2d_0a_1x1", 64),
            conv("Conv2d_0b_1x7", 64),
            conv("Conv2d_0c_7x1", 64),
            conv("Conv2d_1a_3x3", 96, padding="VALID"),
        ],
    ),
    "Mixed_5a": mixed(
        "Mixed_5a",
        [conv("Conv2d_1a_3x3", 192, **_VALID_STRIDE_2)],
        [max_pool("MaxPool_1a_3x3", **_VALID_STRIDE_2)],
    ),
}
# Figure 4.
block_inception_a = _block(
    "BlockInceptionA",
    [conv("Conv2d_0a_1x1", 96)],
    [conv("Conv2d_0a_1x1", 64), conv("Conv2d_0b_3x3", 96)],
    [
        conv("Conv2d_0a_1x1", 64),
        conv("Conv2d_0b_3x3", 96),
        conv("Conv2d_0c_3x3", 96),
    ],
    [avg_pool("AvgPool_0a_3x3"), conv("Conv2d_0b_1x1", 96)],
)
# Figure 7.
block_reduction_a = _block(
    "BlockReductionA",
    [conv("Conv2d_1a_3x3", 384, **_VALID_STRIDE_2)],
    [
        conv("Conv2d_0a_1x1", 192),
        conv("Conv2d_0b_3x3", 224),
        conv("Conv2d_1a_3x3", 256, **_VALID_STRIDE_2),
    ],
    [max_pool("MaxPool_1a_3x3", **_VALID_STRIDE_2)],
)
# Figure 5.
block_inception_b = _block(
    "BlockInceptionB",
    [conv("Conv2d_0a_1x1", 384)],
    [
        conv("Conv2d_0a_1x1", 192),
        conv("Conv2d_0b_1x7", 224),
        conv("Conv2d_0c_7x1", 256),
    ],
    [
        conv("Conv2d_0a_1x1", 192),
        conv("Conv2d_0b_7x1", 192),
        conv("Conv2d_0c_1x7", 224),
        conv("Conv2d_0d_7x1", 224),
        conv("Conv2d_0e_1x7", 256),
    ],
    [avg_pool("AvgPool_0a_3x3"), conv("Conv2d_0b_1x1", 128)],
)
# Figure 8.
block_reduction_b = _block(
    "BlockReductionB",
    [
        conv("Conv2d_0a_1x1", 192),
        conv("Conv2d_1a_3x3", 192, **_VALID_STRIDE_2),
    ],
    [
        conv("Conv2d_0a_1x1", 256),
        conv("Conv2d_0b_1x7", 256),
        conv("Conv2d_0c_7x1", 320),
        conv("Conv2d_1a_3x3", 320, **_VALID_STRIDE_2),
    ],
    [max_pool("MaxPool_1a_3x3", **_VALID_STRIDE_2)],
)
# Figure 6.
block_inception_c = _block(
    "BlockInceptionC",
    [conv("Conv2d_0a_1x1", 256)],
    [
        conv("Conv2d_0a_1x1", 384),
        fork(conv("Conv2d_0b_1x3", 256), conv("Conv2d_0c_3x1", 256)),
    ],
    [
        conv("Conv2d_0a_1x1", 384),
        conv("Conv2d_0b_3x1", 448),
        conv("Conv2d_0c_1x3", 512),
        fork(conv("Conv2d_0d_1x3", 256), conv("Conv2d_0e_3x1", 256)),
    ],
    [avg_pool("AvgPool_0a_3x3"), conv("Conv2d_0b_1x1", 256)],
)

_BODY: dict[str, Callable[..., tf.Tensor]] = {
    **{f"Mixed_5{letter}": block_inception_a for letter in "bcde"},
    "Mixed_6a": block_reduction_a,
    **{f"Mixed_6{letter}": block_inception_b for letter in "bcdefgh"},
    "Mixed_7a": block_reduction_b,
    **{f"Mixed_7{letter}": block_inception_c for letter in "bcd"},
}


def inception_v4_base(
    inputs: tf.Tensor, final_endpoint: str = "Mixed_7d", scope: str | None = None
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The convolutional layers of Inception v4, up to `final_endpoint`.

    Args:
      inputs: `[batch, height, width, channels]` float32.
      final_endpoint: the last end point to build.
      scope: variable scope; "InceptionV4" by default.

    Returns:
      The final end point, and all end points by name.

    Raises:
      ValueError: an unknown `final_endpoint`.
    """
    body = {name: functools.partial(block, scope=name) for name, block in _BODY.items()}
    with (
        tf.compat.v1.variable_scope(scope, "InceptionV4", [inputs]),
        slim.arg_scope([slim.conv2d, slim.max_pool2d], stride=1, padding="SAME"),
    ):
        return inception_utils.build(inputs, {**_STEM, **body}, final_endpoint)


def inception_v4(
    inputs: tf.Tensor,
    num_classes: int | None = 1001,
    is_training: bool = True,
    dropout_keep_prob: float = 0.8,
    reuse: bool | None = None,
    scope: str = "InceptionV4",
    create_aux_logits: bool = True,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Inception v4 for classification.

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

    Returns:
      The logits (or features `[batch, 1, 1, 1536]`), and all end points by name.
    """
    with (
        tf.compat.v1.variable_scope(
            scope, "InceptionV4", [inputs], reuse=reuse
        ) as root,
        slim.arg_scope([slim.batch_norm, slim.dropout], is_training=is_training),
    ):
        net, end_points = inception_v4_base(inputs, scope=root)
        if create_aux_logits and num_classes:
            end_points["AuxLogits"] = inception_utils.aux_logits(
                end_points["Mixed_6h"], num_classes, "Conv2d_2a", "Aux_logits"
            )
        logits = inception_utils.flat_head(
            net, end_points, num_classes, dropout_keep_prob
        )
    return logits, end_points


inception_v4.default_image_size = 299  # type: ignore[attr-defined]
