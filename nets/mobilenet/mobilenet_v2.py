"""MobileNet v2: inverted residuals with linear bottlenecks.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
https://arxiv.org/abs/1801.04381, table 2. ImageNet top-1/top-5 of the published weights
at 224 px: 75.0/92.5 (width 1.4), 71.8/91.0 (1.0), 65.4/86.4 (0.5), 60.3/82.9 (0.35).
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from nets import net_entry, slim
from nets.mobilenet import conv_blocks
from nets.mobilenet import conv_defs as tables
from nets.mobilenet import mobilenet as lib

expand_input = conv_blocks.expand_input_by_factor
op = tables.op
training_scope = lib.training_scope

# Output channels, blocks, stride of the first block.
_STAGES = (
    (24, 2, 2),
    (32, 3, 2),
    (64, 4, 2),
    (96, 3, 1),
    (160, 3, 2),
    (320, 1, 1),
)

_CONVOLUTIONS = (slim.conv2d, slim.fully_connected, slim.separable_conv2d)

V2_DEF: dict[str, Any] = {
    "defaults": {
        (slim.batch_norm,): {"center": True, "scale": True},
        _CONVOLUTIONS: {
            "normalizer_fn": slim.batch_norm,
            "activation_fn": tf.nn.relu6,
        },
        (conv_blocks.expanded_conv,): {
            "expansion_size": expand_input(6),
            "split_expansion": 1,
            "normalizer_fn": slim.batch_norm,
            "residual": True,
        },
        (slim.conv2d, slim.separable_conv2d): {"padding": "SAME"},
    },
    "spec": [
        op(slim.conv2d, stride=2, num_outputs=32, kernel_size=[3, 3]),
        op(
            conv_blocks.expanded_conv,
            expansion_size=expand_input(1, divisible_by=1),
            num_outputs=16,
        ),
        *(
            op(
                conv_blocks.expanded_conv,
                stride=stride if block == 0 else 1,
                num_outputs=channels,
            )
            for channels, blocks, stride in _STAGES
            for block in range(blocks)
        ),
        op(slim.conv2d, stride=1, num_outputs=1280, kernel_size=[1, 1]),
    ],
}
V2_DEF_GROUP_NORM = V2_DEF | {"defaults": tables.with_group_norm(V2_DEF["defaults"])}


@slim.add_arg_scope
def mobilenet(
    input_tensor: tf.Tensor,
    num_classes: int | None = 1001,
    depth_multiplier: float = 1.0,
    scope: str = "MobilenetV2",
    conv_defs: dict[str, Any] | None = None,
    finegrain_classification_mode: bool = False,
    min_depth: int | None = None,
    divisible_by: int | None = None,
    activation_fn: Callable[..., tf.Tensor] | None = None,
    **kwargs: Any,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """MobileNet v2, in inference mode unless built inside `training_scope`.

    Args:
      input_tensor: `[batch, height, width, channels]` float32, in [-1, 1] for the
        published weights.
      num_classes: number of logits; None or 0 returns the pooled features instead.
      depth_multiplier: width: multiplies the channels of every layer; above 0.
      scope: variable scope.
      conv_defs: the table of layers; `V2_DEF` by default.
      finegrain_classification_mode: below width 1, the last convolution keeps its
        channels, which helps with many classes.
      min_depth: minimum number of channels per layer; 8 by default.
      divisible_by: divisor of the number of channels of every layer; 8 by default.
      activation_fn: activation after every convolution except the projections; relu6
        by default.
      **kwargs: of `mobilenet.mobilenet` and `mobilenet.mobilenet_base`: `is_training`,
        `prediction_fn`, `reuse`, `base_only`, `final_endpoint`, `output_stride`,
        `use_explicit_padding` and `use_reduce_mean_for_pooling`.

    Returns:
      The logits `[batch, num_classes]` (or features), and all end points by name.

    Raises:
      ValueError: an argument is out of range.
    """
    if "multiplier" in kwargs:
        raise ValueError("mobilenet_v2 takes depth_multiplier, not multiplier.")
    conv_defs = conv_defs or V2_DEF
    if finegrain_classification_mode and depth_multiplier < 1:
        conv_defs = tables.finegrained(conv_defs)
    depth_args = {
        name: value
        for name, value in (("min_depth", min_depth), ("divisible_by", divisible_by))
        if value is not None
    }
    if activation_fn:
        defaults = dict(conv_defs["defaults"])
        defaults[_CONVOLUTIONS] = defaults[_CONVOLUTIONS] | {
            "activation_fn": activation_fn
        }
        conv_defs = conv_defs | {"defaults": defaults}
    with slim.arg_scope([tables.depth_multiplier], **depth_args):
        return lib.mobilenet(
            input_tensor,
            num_classes=num_classes,
            conv_defs=conv_defs,
            scope=scope,
            multiplier=depth_multiplier,
            **kwargs,
        )


mobilenet.default_image_size = 224


@slim.add_arg_scope
def mobilenet_base(
    input_tensor: tf.Tensor, depth_multiplier: float = 1.0, **kwargs: Any
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """`mobilenet` without pooling and logits."""
    return mobilenet(
        input_tensor, depth_multiplier=depth_multiplier, base_only=True, **kwargs
    )


@slim.add_arg_scope
def mobilenet_base_group_norm(
    input_tensor: tf.Tensor,
    depth_multiplier: float = 1.0,
    groups: int = 8,
    **kwargs: Any,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """`mobilenet_base` with group norm over `groups` groups instead of batch norm."""
    defaults = tables.with_group_norm(V2_DEF["defaults"], groups)
    kwargs["conv_defs"] = V2_DEF | {"defaults": defaults}
    return mobilenet_base(input_tensor, depth_multiplier=depth_multiplier, **kwargs)


wrapped_partial = net_entry.wrapped_partial
mobilenet_v2_140 = wrapped_partial(mobilenet, depth_multiplier=1.4)
mobilenet_v2_050 = wrapped_partial(
    mobilenet, depth_multiplier=0.50, finegrain_classification_mode=True
)
mobilenet_v2_035 = wrapped_partial(
    mobilenet, depth_multiplier=0.35, finegrain_classification_mode=True
)
