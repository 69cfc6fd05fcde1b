"""The blocks of EfficientNets, made of MobileNet's, and tables of them."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from nets import slim
from nets.drop_path import drop_path
from nets.layer_policy import current_policy
from nets.mobilenet import conv_blocks, layer_sizes
from nets.mobilenet.conv_defs import Op, op

# Of the last block; it grows linearly from 0 at the first: Huang et al., "Deep Networks
# with Stochastic Depth", https://arxiv.org/abs/1603.09382, equation 4.
_DROP_PATH_RATE = 0.2


def silu(x: tf.Tensor) -> tf.Tensor:
    """Swish, x * sigmoid(x), https://arxiv.org/abs/1702.03118.

    It is TensorFlow's own in inference, too: of a product and a sigmoid alone, which
    would take less time to trace, oneDNN makes an operation that takes longer.
    """
    policy = current_policy()
    makes_variables = policy is not None and policy.only_makes_variables
    return x if makes_variables else tf.nn.silu(x)


class Stage(NamedTuple):
    """Blocks of one depth; the first has the stride.

    Attributes:
      kernel: side of the depthwise kernels, in places; of a fused stage, of the
        expansions, or of the only convolution where there is no expansion.
      stride: the stride of the first block.
      expansion: channels inside a block per channel of its input.
      depth: channels after each block.
      blocks: how many there are.
      is_fused: whether a full convolution stands for expansion, depthwise and gates.
    """

    kernel: int
    stride: int
    expansion: int
    depth: int
    blocks: int
    is_fused: bool = False


class Scale(NamedTuple):
    """How large a net is.

    Attributes:
      width: factor of the channels.
      depth: factor of the blocks.
      image_size: side of the square input image, in pixels.
      keep_prob: share of features kept before the logits in training.
    """

    width: float
    depth: float
    image_size: int
    keep_prob: float


def repeated(stage: Stage, factor: float) -> list[Stage]:
    """Every block of a stage, `factor` times as many, as a stage of its own."""
    first = stage._replace(blocks=1)
    following = first._replace(stride=1)
    return [first, *[following] * (math.ceil(factor * stage.blocks) - 1)]


def table(
    blocks: Sequence[Stage],
    stem_depth: int,
    last_depth: int,
    *,
    activation_fn: Callable[..., tf.Tensor] = silu,
    has_gates: bool = True,
    pads: bool = False,
) -> dict[str, Any]:
    """The table of a net's layers, as `nets/mobilenet/conv_defs.py` describes them.

    Args:
      blocks: each as a stage of its own.
      stem_depth: channels of the first convolution.
      last_depth: channels of the last one.
      activation_fn: after every convolution but the projections.
      has_gates: whether blocks that are not fused have squeeze-and-excite.
      pads: whether fused convolutions pad alike on all sides, as PyTorch does.
    """
    return {
        "defaults": {
            (slim.batch_norm,): {"center": True, "scale": True, "epsilon": 0.001},
            (slim.conv2d, slim.separable_conv2d): {
                "normalizer_fn": slim.batch_norm,
                "activation_fn": activation_fn,
                "padding": "SAME",
            },
            (conv_blocks.expanded_conv,): {"normalizer_fn": slim.batch_norm},
        },
        "spec": [
            _convolution(3, 2, stem_depth),
            *(
                _fused(block, _DROP_PATH_RATE * i / len(blocks), pads=pads)
                if block.is_fused
                else _block(block, _DROP_PATH_RATE * i / len(blocks), has_gates)
                for i, block in enumerate(blocks)
            ),
            _convolution(1, 1, last_depth),
        ],
    }


def _convolution(kernel: int, stride: int, depth: int) -> Op:
    return op(
        slim.conv2d, kernel_size=(kernel, kernel), stride=stride, num_outputs=depth
    )


def _block(block: Stage, drop_path_rate: float, has_gates: bool) -> Op:
    return op(
        conv_blocks.expanded_conv,
        expansion_size=layer_sizes.expand_input_by_factor(block.expansion, 1),
        kernel_size=(block.kernel, block.kernel),
        stride=block.stride,
        num_outputs=block.depth,
        residual=functools.partial(_residual, block.stride, 1 - drop_path_rate),
        expansion_transform=_gated if has_gates else None,
    )


def _fused(block: Stage, drop_path_rate: float, *, pads: bool) -> Op:
    """A block of two convolutions, or of one where there is no expansion."""
    wide = functools.partial(
        _padded_conv, kernel=block.kernel, stride=block.stride, pads=pads
    )
    convolutions: dict[str, Any] = {"expansion_fn": wide}
    if block.expansion == 1:
        convolutions = {"projection_fn": wide, "project_activation_fn": silu}
    return op(
        conv_blocks.expanded_conv,
        expansion_size=layer_sizes.expand_input_by_factor(block.expansion, 1),
        kernel_size=(1, 1),
        stride=block.stride,
        num_outputs=block.depth,
        depthwise_location=None,
        residual=functools.partial(_residual, block.stride, 1 - drop_path_rate),
        **convolutions,
    )


def _padded_conv(
    net: tf.Tensor,
    num_outputs: int,
    *,
    kernel: int,
    stride: int,
    pads: bool,
    rate: int = 1,
    **options: Any,
) -> tf.Tensor:
    padding = "SAME"
    if pads:
        net, padding = layer_sizes.fixed_padding(net, (kernel, kernel), rate), "VALID"
    return slim.conv2d(
        net,
        num_outputs,
        [kernel, kernel],
        stride=stride,
        rate=rate,
        padding=padding,
        **options,
    )


def _gated(expansion_tensor: tf.Tensor, input_tensor: tf.Tensor) -> tf.Tensor:
    """Squeeze-and-excite to a quarter of the channels that the block is given."""
    expanded, given = (x.shape[-1] for x in (expansion_tensor, input_tensor))
    return conv_blocks.squeeze_excite(
        expansion_tensor,
        divisible_by=1,
        squeeze_factor=expanded / (given // 4),
        inner_activation_fn=silu,
    )


def _residual(
    stride: int, keep_prob: float, input_tensor: tf.Tensor, output_tensor: tf.Tensor
) -> tf.Tensor:
    """The block's output with its input, where the two are alike."""
    if stride > 1 or input_tensor.shape[-1] != output_tensor.shape[-1]:
        return output_tensor
    block = tf.compat.v1.get_variable_scope().name
    return drop_path(output_tensor, keep_prob, block=block) + input_tensor
