"""EfficientNets from tables of their layers, and the defaults of these layers."""

import functools
import math
from typing import Any

import tensorflow as tf

from nets import slim
from nets.drop_path import drop_path
from nets.efficientnet_blocks import Scale
from nets.mobilenet import mobilenet
from nets.net_entry import NetEntry, NetworkFn, named


def arg_scope(
    is_training: bool | None = True,
    weight_decay: float = 0.00004,
    dropout_keep_prob: float = 0.8,
    batch_norm_decay: float = 0.99,
) -> dict[str, Any]:
    """The layer defaults that EfficientNets were trained with.

    Args:
      is_training: mode of batch norm, dropout and drop path.
      weight_decay: L2 coefficient of the convolutions' weights; depthwise ones have no
        penalty.
      dropout_keep_prob: share of features kept before the logits in training.
      batch_norm_decay: the decay of the moving statistics.

    Returns:
      An arg scope, for `slim.arg_scope`.
    """
    # Normal, of variance 2 / fan out: He et al., https://arxiv.org/abs/1502.01852.
    initializer = tf.compat.v1.variance_scaling_initializer(
        scale=2.0, mode="fan_out", distribution="untruncated_normal"
    )
    defaults = mobilenet.training_scope(
        is_training,
        weight_decay,
        dropout_keep_prob=dropout_keep_prob,
        bn_decay=batch_norm_decay,
    )
    with (
        slim.arg_scope(defaults),
        slim.arg_scope([slim.conv2d], weights_initializer=initializer),
        # Of a depthwise convolution fan out counts the multiplier, which is 1.
        slim.arg_scope(
            [slim.separable_conv2d], weights_initializer=_depthwise_initializer
        ),
        slim.arg_scope([drop_path], is_training=is_training) as scope,
    ):
        return scope


def _depthwise_initializer(shape: Any, dtype: tf.DType, **_: Any) -> tf.Tensor:
    """Normal, of variance 2 / (height * width) of the kernel."""
    deviation = math.sqrt(2 / math.prod(shape[:2]))
    return tf.compat.v1.random_normal(shape, stddev=deviation, dtype=dtype)


def entry(
    name: str,
    layers: dict[str, Any],
    scale: Scale,
    preprocessing: str,
    *,
    pads: bool = False,
    batch_norm_decay: float = 0.99,
) -> NetEntry:
    """The row of a net.

    Args:
      name: the name of the net, and of its variable scope.
      layers: its table.
      scale: for its image size and dropout.
      preprocessing: name of that it was trained with.
      pads: whether convolutions pad alike on all sides, as PyTorch does.
      batch_norm_decay: the decay of the moving statistics.
    """
    defaults = functools.partial(
        arg_scope,
        dropout_keep_prob=scale.keep_prob,
        batch_norm_decay=batch_norm_decay,
    )
    return NetEntry(
        _network(name, layers, scale.image_size, pads),
        defaults,
        scale.image_size,
        (f"{name}/Logits",),
        preprocessing,
    )


def _network(
    name: str, layers: dict[str, Any], image_size: int, pads: bool
) -> NetworkFn:
    def network(
        images: tf.Tensor,
        num_classes: int | None = 1000,
        is_training: bool | None = False,
        scope: str = name,
        **kwargs: Any,
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """An EfficientNet.

        Args:
          images: `[batch, height, width, channels]` float32.
          num_classes: None or 0 gives the pooled features instead of logits.
          is_training: mode of batch norm, dropout and drop path; None leaves it to the
            arg scopes.
          scope: variable scope.
          **kwargs: for `mobilenet.mobilenet` and `mobilenet.mobilenet_base`, as
            `prediction_fn`, `reuse`, `base_only`, `final_endpoint` and `output_stride`.

        Returns:
          `[batch, num_classes]` logits, or features, and all end points by name.
        """
        with slim.safe_arg_scope([drop_path], is_training=is_training):
            return mobilenet.mobilenet(
                images,
                num_classes=num_classes,
                conv_defs=layers,
                is_training=is_training,
                scope=scope,
                use_explicit_padding=pads,
                **kwargs,
            )

    return named(network, name, image_size)
