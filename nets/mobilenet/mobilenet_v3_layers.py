"""The layers of MobileNet v3 and MobileNet Edge TPU, as rows of a table.

Howard et al., "Searching for MobileNetV3", https://arxiv.org/abs/1905.02244, section 5.
"""

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from nets import slim
from nets.mobilenet import conv_blocks, conv_defs

expand_input = conv_blocks.expand_input_by_factor


def hard_swish(x: tf.Tensor) -> tf.Tensor:
    """An approximation of x * sigmoid(x) by relu6: section 5.2 of the paper."""
    return x * tf.nn.relu6(x + 3.0) * (1 / 6)


def _hard_sigmoid(x: tf.Tensor) -> tf.Tensor:
    # Not 1/6: the published weights were trained with this rounded constant.
    return tf.nn.relu6(x + 3.0) * 0.16667


squeeze_excite = functools.partial(
    conv_blocks.squeeze_excite, squeeze_factor=4, gating_fn=_hard_sigmoid
)


def _squeeze_excite(expansion_tensor: tf.Tensor, **_: tf.Tensor) -> tf.Tensor:
    return squeeze_excite(expansion_tensor)


def reduce_to_1x1(input_tensor: tf.Tensor, **_: Any) -> tf.Tensor:
    """Pools over height and width, ignoring the other arguments of a table."""
    return conv_blocks.global_pool(input_tensor)


def mbv3_op(
    ef: float,
    n: int,
    k: int,
    s: int = 1,
    act: Callable[..., tf.Tensor] | None = tf.nn.relu,
    se: Callable[..., tf.Tensor] | None = None,
    **kwargs: Any,
) -> conv_defs.Op:
    """A block as a layer of a table.

    Args:
      ef: expansion factor: expanded channels per input channel.
      n: output channels.
      k: height and width of the depthwise kernel.
      s: stride.
      act: inner activation.
      se: squeeze-and-excite, as an `expansion_transform`.
      **kwargs: other arguments of `conv_blocks.expanded_conv`.
    """
    return conv_defs.op(
        conv_blocks.expanded_conv,
        expansion_size=expand_input(ef),
        kernel_size=(k, k),
        stride=s,
        num_outputs=n,
        inner_activation_fn=act,
        expansion_transform=se,
        **kwargs,
    )


mbv3_op_se = functools.partial(mbv3_op, se=_squeeze_excite)


def mbv3_fused(ef: float, n: int, k: int, s: int = 1, **kwargs: Any) -> conv_defs.Op:
    """`mbv3_op` with a full convolution instead of expansion and depthwise."""
    return mbv3_op(
        ef,
        n,
        k=1,
        s=s,
        depthwise_location=None,
        expansion_fn=functools.partial(
            slim.conv2d, kernel_size=k, stride=s, padding="SAME"
        ),
        **kwargs,
    )
