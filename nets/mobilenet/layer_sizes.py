"""The number of channels of a MobileNet's layers, and their padding."""

from collections.abc import Callable, Sequence

import tensorflow as tf


def make_divisible(value: float, divisor: int, min_value: int | None = None) -> int:
    """The multiple of `divisor` nearest to `value`, but at least 90% of `value`.

    Args:
      value: a number of channels.
      divisor: divisor of the result, unless that is `min_value`.
      min_value: least result; `divisor` by default.
    """
    least = divisor if min_value is None else min_value
    nearest = max(least, int(value + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * value else nearest


def expand_input_by_factor(n: float, divisible_by: int = 8) -> Callable[..., int]:
    """Maps the input channels of a block to `n` times as many, made divisible."""
    return lambda num_inputs, **_: make_divisible(num_inputs * n, divisible_by)


def fixed_padding(
    inputs: tf.Tensor, kernel_size: Sequence[int], rate: int = 1
) -> tf.Tensor:
    """Pads as SAME does at stride 1, whatever the stride and image size."""
    totals = [(size - 1) * rate for size in kernel_size]
    sides = [[total // 2, total - total // 2] for total in totals]
    return tf.pad(inputs, [[0, 0], *sides, [0, 0]])
