"""MobileNet v3, its minimalistic variants, and MobileNet Edge TPU.

Howard et al., "Searching for MobileNetV3", https://arxiv.org/abs/1905.02244, tables 1
and 2. ImageNet top-1 of the published weights at 224 px: large 75.2, small 67.5;
without hard-swish, squeeze-and-excite and 5x5 kernels ("minimalistic"): large 72.3,
small 61.9. MobileNet Edge TPU, whose early blocks are fused (Gupta and Akin,
"Accelerator-aware Neural Network Design using AutoML",
https://arxiv.org/abs/2003.02838): 75.6 at width 1.0, 73.5 at 0.75, both in 8-bit
arithmetic.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from nets import net_entry, slim
from nets.mobilenet import conv_blocks
from nets.mobilenet import conv_defs as tables
from nets.mobilenet import mobilenet as lib
from nets.mobilenet import mobilenet_v3_layers as layers

expand_input = layers.expand_input
hard_swish = layers.hard_swish
mbv3_fused = layers.mbv3_fused
mbv3_op = layers.mbv3_op
mbv3_op_se = layers.mbv3_op_se
op = tables.op
reduce_to_1x1 = layers.reduce_to_1x1
squeeze_excite = layers.squeeze_excite
training_scope = lib.training_scope


class Block(NamedTuple):
    """A row of tables 1 and 2 of the paper."""

    kernel: int
    expanded: int
    depth: int
    squeeze_excite: bool
    activation_fn: Callable[[tf.Tensor], tf.Tensor]
    stride: int


_RE, _HS = tf.nn.relu, hard_swish

_LARGE_BLOCKS = (
    Block(3, 16, 16, False, _RE, 1),
    Block(3, 64, 24, False, _RE, 2),
    Block(3, 72, 24, False, _RE, 1),
    Block(5, 72, 40, True, _RE, 2),
    Block(5, 120, 40, True, _RE, 1),
    Block(5, 120, 40, True, _RE, 1),
    Block(3, 240, 80, False, _HS, 2),
    Block(3, 200, 80, False, _HS, 1),
    Block(3, 184, 80, False, _HS, 1),
    Block(3, 184, 80, False, _HS, 1),
    Block(3, 480, 112, True, _HS, 1),
    Block(3, 672, 112, True, _HS, 1),
    Block(5, 672, 160, True, _HS, 2),
    Block(5, 960, 160, True, _HS, 1),
    Block(5, 960, 160, True, _HS, 1),
)

_SMALL_BLOCKS = (
    Block(3, 16, 16, True, _RE, 2),
    Block(3, 72, 24, False, _RE, 2),
    Block(3, 88, 24, False, _RE, 1),
    Block(5, 96, 40, True, _HS, 2),
    Block(5, 240, 40, True, _HS, 1),
    Block(5, 240, 40, True, _HS, 1),
    Block(5, 120, 48, True, _HS, 1),
    Block(5, 144, 48, True, _HS, 1),
    Block(5, 288, 96, True, _HS, 2),
    Block(5, 576, 96, True, _HS, 1),
    Block(5, 576, 96, True, _HS, 1),
)


class FusedStage(NamedTuple):
    """Consecutive blocks of MobileNet Edge TPU that have the same depth.

    The first expands by `first_factor` and has no shortcut; the others expand by 4.
    """

    fused: bool
    kernel: int
    depth: int
    blocks: int
    stride: int
    first_factor: int


_EDGETPU_STAGES = (
    FusedStage(True, 1, 16, 1, 1, 1),
    FusedStage(True, 3, 32, 4, 2, 8),
    FusedStage(True, 3, 48, 4, 2, 8),
    FusedStage(False, 3, 96, 4, 2, 8),
    FusedStage(False, 3, 96, 4, 1, 8),
    FusedStage(False, 5, 160, 4, 2, 8),
    FusedStage(False, 3, 192, 1, 1, 8),
)


DEFAULTS: dict[Any, dict[str, Any]] = {
    (conv_blocks.expanded_conv,): {
        "normalizer_fn": slim.batch_norm,
        "residual": True,
    },
    (slim.conv2d, slim.fully_connected, slim.separable_conv2d): {
        "normalizer_fn": slim.batch_norm,
        "activation_fn": tf.nn.relu,
    },
    (slim.batch_norm,): {"center": True, "scale": True},
}
DEFAULTS_GROUP_NORM = tables.with_group_norm(DEFAULTS)


def _v3_table(blocks: tuple[Block, ...], last_depth: int) -> dict[str, Any]:
    """The table of the stem, the blocks and the two last layers."""
    conv = functools.partial(op, slim.conv2d, activation_fn=blocks[-1].activation_fn)
    stem_depth = 16
    input_depths = [stem_depth, *(block.depth for block in blocks)]
    return {
        "defaults": dict(DEFAULTS),
        "spec": [
            conv(stride=2, num_outputs=stem_depth, kernel_size=(3, 3)),
            *(
                (mbv3_op_se if block.squeeze_excite else mbv3_op)(
                    ef=block.expanded / input_depth,
                    n=block.depth,
                    k=block.kernel,
                    s=block.stride,
                    act=block.activation_fn,
                )
                for input_depth, block in zip(input_depths, blocks, strict=False)
            ),
            conv(stride=1, num_outputs=blocks[-1].expanded, kernel_size=(1, 1)),
            op(reduce_to_1x1),
            conv(
                stride=1, num_outputs=last_depth, kernel_size=(1, 1), normalizer_fn=None
            ),
        ],
    }


def _minimalistic(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    return tuple(
        block._replace(kernel=3, squeeze_excite=False, activation_fn=_RE)
        for block in blocks
    )


def _edgetpu_table() -> dict[str, Any]:
    return {
        "defaults": dict(DEFAULTS),
        "spec": [
            op(slim.conv2d, stride=2, num_outputs=32, kernel_size=(3, 3)),
            *(
                (mbv3_fused if stage.fused else mbv3_op)(
                    ef=4 if block else stage.first_factor,
                    n=stage.depth,
                    k=stage.kernel,
                    s=1 if block else stage.stride,
                    residual=block > 0,
                )
                for stage in _EDGETPU_STAGES
                for block in range(stage.blocks)
            ),
            op(slim.conv2d, stride=1, num_outputs=1280, kernel_size=(1, 1)),
        ],
    }


V3_LARGE = _v3_table(_LARGE_BLOCKS, 1280)
V3_SMALL = _v3_table(_SMALL_BLOCKS, 1024)
V3_LARGE_MINIMALISTIC = _v3_table(_minimalistic(_LARGE_BLOCKS), 1280)
V3_SMALL_MINIMALISTIC = _v3_table(_minimalistic(_SMALL_BLOCKS), 1024)
V3_EDGETPU = _edgetpu_table()
# For object detection: half the channels in the last stage (section 6.3).
V3_LARGE_DETECTION = tables.thinned(V3_LARGE, slice(13, 17), 0.5)
V3_SMALL_DETECTION = tables.thinned(V3_SMALL, slice(9, 13), 0.5)


@slim.add_arg_scope
def mobilenet(
    input_tensor: tf.Tensor,
    num_classes: int | None = 1001,
    depth_multiplier: float = 1.0,
    scope: str = "MobilenetV3",
    conv_defs: dict[str, Any] | None = None,
    finegrain_classification_mode: bool = False,
    use_groupnorm: bool = False,
    groups: int = 8,
    **kwargs: Any,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """MobileNet v3, in inference mode unless built inside `training_scope`.

    Args:
      input_tensor: `[batch, height, width, channels]` float32, in [-1, 1] for the
        published weights.
      num_classes: number of logits; None or 0 returns the pooled features instead.
      depth_multiplier: width: multiplies the channels of every layer; above 0.
      scope: variable scope.
      conv_defs: the table of layers; `V3_LARGE` by default.
      finegrain_classification_mode: the last layer has the same channels at every
        width, which helps with many classes.
      use_groupnorm: use group norm instead of batch norm.
      groups: number of groups.
      **kwargs: of `mobilenet.mobilenet` and `mobilenet.mobilenet_base`: `is_training`,
        `prediction_fn`, `reuse`, `base_only`, `final_endpoint`, `output_stride`,
        `use_explicit_padding` and `use_reduce_mean_for_pooling`.

    Returns:
      The logits `[batch, num_classes]` (or features), and all end points by name.

    Raises:
      ValueError: an argument is out of range.
    """
    if "multiplier" in kwargs:
        raise ValueError("mobilenet_v3 takes depth_multiplier, not multiplier.")
    conv_defs = conv_defs or V3_LARGE
    if finegrain_classification_mode:
        conv_defs = tables.finegrained(conv_defs)
    if use_groupnorm:
        defaults = tables.with_group_norm(conv_defs["defaults"], groups)
        conv_defs = conv_defs | {"defaults": defaults}
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


wrapped_partial = net_entry.wrapped_partial
large = wrapped_partial(mobilenet, conv_defs=V3_LARGE)
small = wrapped_partial(mobilenet, conv_defs=V3_SMALL)
large_minimalistic = wrapped_partial(mobilenet, conv_defs=V3_LARGE_MINIMALISTIC)
small_minimalistic = wrapped_partial(mobilenet, conv_defs=V3_SMALL_MINIMALISTIC)
edge_tpu = wrapped_partial(mobilenet, scope="MobilenetEdgeTPU", conv_defs=V3_EDGETPU)
edge_tpu_075 = wrapped_partial(
    edge_tpu, depth_multiplier=0.75, finegrain_classification_mode=True
)
