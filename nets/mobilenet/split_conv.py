"""A grouped 1x1 convolution."""

import itertools
from typing import Any

import tensorflow as tf

from nets import slim


def split_conv(
    input_tensor: tf.Tensor,
    num_outputs: int,
    num_ways: int,
    scope: str,
    divisible_by: int = 8,
    **kwargs: Any,
) -> tf.Tensor:
    """A 1x1 convolution in groups: outputs of a group depend on its inputs alone.

    Args:
      input_tensor: `[batch, height, width, channels]` float32.
      num_outputs: output channels of all groups together.
      num_ways: number of groups; 1 is a plain convolution, which is also used if a
        group would have fewer than `divisible_by` channels.
      scope: variable scope; group i appends `_part_<i>`.
      divisible_by: divisor of the number of channels of each group.
      **kwargs: other arguments of `slim.conv2d`.

    Returns:
      `[batch, height, width, num_outputs]` float32.
    """
    num_inputs = input_tensor.shape.as_list()[-1]
    if num_ways == 1 or min(num_inputs, num_outputs) // num_ways < divisible_by:
        return slim.conv2d(input_tensor, num_outputs, [1, 1], scope=scope, **kwargs)
    inputs = tf.split(
        input_tensor,
        _split_sizes(num_inputs, num_ways, divisible_by),
        axis=-1,
    )
    sizes = _split_sizes(num_outputs, num_ways, divisible_by)
    outputs = [
        slim.conv2d(part, size, [1, 1], scope=f"{scope}_part_{i}", **kwargs)
        for i, (part, size) in enumerate(zip(inputs, sizes, strict=True))
    ]
    return tf.concat(outputs, axis=-1, name=f"{scope}_concat")


def _split_sizes(total: int, num_ways: int, divisible_by: int) -> list[int]:
    """Splits evenly into multiples of `divisible_by`; the first gets the remainder."""
    units, rest = divmod(total, divisible_by)
    bounds = [units * way // num_ways for way in range(num_ways, -1, -1)]
    sizes = [divisible_by * (a - b) for a, b in itertools.pairwise(bounds)]
    return [sizes[0] + rest, *sizes[1:]]
