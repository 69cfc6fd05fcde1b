"""Inception v3: factorised convolutions and an auxiliary head.

Szegedy et al., "Rethinking the Inception Architecture for Computer Vision",
https://arxiv.org/abs/1512.00567. ImageNet top-1/top-5 of the published weights:
78.0/93.9.
"""

from collections.abc import Callable

import tensorflow as tf

from nets import inception_utils, slim

inception_v3_arg_scope = inception_utils.inception_arg_scope
inception_v3_base = slim.inception.inception_v3_base


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
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Inception v3 for classification.

    Args:
      inputs: `[batch, height, width, channels]` float32, in [-1, 1] for the published
        weights.
      num_classes: None or 0 gives the pooled features in place of logits.
      is_training: batch norm and dropout in training or inference mode.
      dropout_keep_prob: share of features kept in training.
      min_depth: no layer of the base gets fewer channels than this.
      depth_multiplier: width: factor of every layer's channels; above 0.
      prediction_fn: from logits to the end point `Predictions`.
      spatial_squeeze: logits are `[batch, num_classes]`, not `[batch, 1, 1, …]`.
      reuse: reuse the variables of `scope`.
      create_aux_logits: build the auxiliary head, end point `AuxLogits`.
      scope: variable scope.
      global_pool: pool over whatever is left of the image; False: over 8x8 at most.

    Returns:
      The logits (or features), and all end points by name.

    Raises:
      ValueError: `depth_multiplier` is not above 0.
    """
    if depth_multiplier <= 0:
        raise ValueError(f"depth_multiplier is {depth_multiplier}; it must be above 0.")
    with (
        tf.compat.v1.variable_scope(
            scope, "InceptionV3", [inputs], reuse=reuse
        ) as root,
        slim.arg_scope([slim.batch_norm, slim.dropout], is_training=is_training),
    ):
        net, end_points = inception_v3_base(
            inputs, scope=root, min_depth=min_depth, depth_multiplier=depth_multiplier
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
        kernel = [min(side or 5, 5) for side in net.shape[1:3]]
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
