"""How many channels a layer of a MobileNet has, and how much padding."""

from collections.abc import Callable, Sequence

import tensorflow as tf


def make_divisible(value: float, divisor: int, min_value: int | None = None) -> int:
    """The multiple of `divisor` nearest to `value`, but no less than 90 % of it.

    Args:
      value: a number of channels.
      divisor: what the result is a multiple of, unless it is `min_value`.
      min_value: least result; `divisor` by default.
    """
    least = divisor if min_value is None else min_value
    nearest = max(least, int(value + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * value else nearest


def expand_input_by_factor(n: float, divisible_by: int = 8) -> Callable[..., int]:
    """From a block's input channels to `n` times as many, made divisible."""
    return lambda num_inputs, **_: make_divisible(num_inputs * n, divisible_by)


def fixed_padding(
    inputs: tf.Tensor, kernel_size: Sequence[int], rate: int = 1
) -> tf.Tensor:
    """Pads as SAME would at stride 1, whatever the stride and the image size."""
    totals = [(size - 1) * rate for size in kernel_size]
    sides = [[total // 2, total - total // 2] for total in totals]
    return tf.pad(inputs, [[0, 0], *sides, [0, 0]])
