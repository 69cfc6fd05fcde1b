"""Squeeze-and-excite, as in the blocks of MobileNet v3, and its pooling.

Howard et al., "Searching for MobileNetV3", https://arxiv.org/abs/1905.02244, section
5.3; after Hu et al., "Squeeze-and-Excitation Networks",
https://arxiv.org/abs/1709.01507.
"""

from collections.abc import Callable

import tensorflow as tf

from nets import slim
from nets.mobilenet import layer_sizes


def global_pool(
    input_tensor: tf.Tensor, pool_op: Callable[..., tf.Tensor] = tf.nn.avg_pool2d
) -> tf.Tensor:
    """Pools over height and width, to `[batch, 1, 1, channels]`; the mean by default.

    Raises:
      ValueError: height or width is unknown, and `pool_op` is not the default.
    """
    _, height, width, _ = input_tensor.shape.as_list()
    if height is None or width is None:
        if pool_op is not tf.nn.avg_pool2d:
            raise ValueError(f"{pool_op} needs a known height and width.")
        return tf.reduce_mean(input_tensor, [1, 2], keepdims=True)
    return pool_op(input_tensor, [1, height, width, 1], strides=1, padding="VALID")


@slim.add_arg_scope
def squeeze_excite(
    input_tensor: tf.Tensor,
    divisible_by: int = 8,
    squeeze_factor: float = 3,
    inner_activation_fn: Callable[..., tf.Tensor] = tf.nn.relu,
    gating_fn: Callable[..., tf.Tensor] = tf.sigmoid,
    squeeze_input_tensor: tf.Tensor | None = None,
    pool: int | None = None,
) -> tf.Tensor:
    """Scales each channel by a gate computed from the means of all channels.

    Args:
      input_tensor: `[batch, height, width, channels]` float32.
      divisible_by: divisor of the number of squeezed channels.
      squeeze_factor: number of channels per squeezed channel.
      inner_activation_fn: activation of the squeezed channels.
      gating_fn: maps the output of the second convolution to the gates.
      squeeze_input_tensor: tensor to average; `input_tensor` by default.
      pool: height and width of the windows to average over; by default the window is
        the whole feature map.

    Returns:
      `input_tensor`, scaled.
    """
    averaged = input_tensor if squeeze_input_tensor is None else squeeze_input_tensor
    with tf.compat.v1.variable_scope("squeeze_excite"):
        if pool is not None and averaged.shape.as_list()[1] >= pool:
            means = tf.nn.avg_pool2d(averaged, pool, strides=pool, padding="VALID")
        else:
            means = global_pool(averaged)
        squeezed = slim.conv2d(
            means,
            layer_sizes.make_divisible(
                averaged.shape.as_list()[-1] / squeeze_factor, divisible_by
            ),
            [1, 1],
            normalizer_fn=None,
            activation_fn=inner_activation_fn,
        )
        gates = slim.conv2d(
            squeezed,
            input_tensor.shape.as_list()[-1],
            [1, 1],
            normalizer_fn=None,
            activation_fn=gating_fn,
        )
        if pool is not None:
            gates = tf.compat.v1.image.resize_bilinear(
                gates, tf.shape(input_tensor)[1:3], align_corners=True
            )
        return input_tensor * gates
