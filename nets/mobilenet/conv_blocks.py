"""The blocks of MobileNet v2 and v3.

The expanded convolution (inverted residual) is that of Sandler et al., "MobileNetV2:
Inverted Residuals and Linear Bottlenecks", https://arxiv.org/abs/1801.04381, section 3;
squeeze-and-excite within it that of Howard et al., "Searching for MobileNetV3",
https://arxiv.org/abs/1905.02244, section 5.3.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from nets import slim


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


def expand_input_by_factor(
    factor: float, divisible_by: int = 8
) -> Callable[[int], int]:
    """From a block's input channels to `factor` times as many, made divisible."""
    return lambda num_inputs: make_divisible(num_inputs * factor, divisible_by)


_SIX_TIMES = expand_input_by_factor(6)


def fixed_padding(
    inputs: tf.Tensor, kernel_size: Sequence[int], rate: int = 1
) -> tf.Tensor:
    """Pads as SAME would at stride 1, whatever the stride and the image size."""
    totals = [(size - 1) * rate for size in kernel_size]
    sides = [[total // 2, total - total // 2] for total in totals]
    return tf.pad(inputs, [[0, 0], *sides, [0, 0]])


def global_pool(input_tensor: tf.Tensor) -> tf.Tensor:
    """`[batch, 1, 1, channels]` means over height and width."""
    _, height, width, _ = input_tensor.shape.as_list()
    if height is None or width is None:
        return tf.reduce_mean(input_tensor, [1, 2], keepdims=True)
    return tf.nn.avg_pool2d(input_tensor, [height, width], strides=1, padding="VALID")


def _split_sizes(total: int, num_ways: int, divisible_by: int) -> list[int]:
    """`num_ways` even multiples of `divisible_by`; the first takes what is left."""
    units, rest = divmod(total, divisible_by)
    bounds = [units * way // num_ways for way in range(num_ways, -1, -1)]
    sizes = [divisible_by * (a - b) for a, b in itertools.pairwise(bounds)]
    return [sizes[0] + rest, *sizes[1:]]


def split_conv(
    input_tensor: tf.Tensor,
    num_outputs: int,
    num_ways: int,
    scope: str,
    divisible_by: int = 8,
    **kwargs: Any,
) -> tf.Tensor:
    """A 1x1 convolution in `num_ways` groups: group i of the outputs sees inputs i.

    Args:
      input_tensor: `[batch, height, width, channels]` float32.
      num_outputs: output channels of all groups together.
      num_ways: number of groups; 1 is the plain convolution, taken as well where a
        group would have fewer than `divisible_by` channels.
      scope: variable scope; group i adds `_part_<i>` to it.
      divisible_by: what each group's channels are a multiple of.
      **kwargs: for `slim.conv2d`.
    """
    num_inputs = input_tensor.shape.as_list()[-1]
    if num_ways == 1 or min(num_inputs, num_outputs) // num_ways < divisible_by:
        return slim.conv2d(input_tensor, num_outputs, [1, 1], scope=scope, **kwargs)
    inputs = tf.split(
        input_tensor, _split_sizes(num_inputs, num_ways, divisible_by), axis=-1
    )
    sizes = _split_sizes(num_outputs, num_ways, divisible_by)
    outputs = [
        slim.conv2d(part, size, [1, 1], scope=f"{scope}_part_{i}", **kwargs)
        for i, (part, size) in enumerate(zip(inputs, sizes, strict=True))
    ]
    return tf.concat(outputs, axis=-1, name=f"{scope}_concat")


def squeeze_excite(
    input_tensor: tf.Tensor,
    divisible_by: int = 8,
    squeeze_factor: float = 3,
    inner_activation_fn: Callable[..., tf.Tensor] = tf.nn.relu,
    gating_fn: Callable[..., tf.Tensor] = tf.sigmoid,
) -> tf.Tensor:
    """Scales each channel by a gate computed from all channels' means.

    Args:
      input_tensor: `[batch, height, width, channels]` float32.
      divisible_by: what the number of squeezed channels is a multiple of.
      squeeze_factor: input channels to a squeezed one.
      inner_activation_fn: of the squeezed channels.
      gating_fn: from the second convolution's output to the gates.

    Returns:
      A tensor of the input's shape.
    """
    channels = input_tensor.shape.as_list()[-1]
    squeezed_channels = make_divisible(channels / squeeze_factor, divisible_by)
    with tf.compat.v1.variable_scope("squeeze_excite"):
        squeezed = slim.conv2d(
            global_pool(input_tensor),
            squeezed_channels,
            [1, 1],
            normalizer_fn=None,
            activation_fn=inner_activation_fn,
        )
        gates = slim.conv2d(
            squeezed, channels, [1, 1], normalizer_fn=None, activation_fn=gating_fn
        )
        return input_tensor * gates


@slim.add_arg_scope
def expanded_conv(
    input_tensor: tf.Tensor,
    num_outputs: int,
    expansion_size: Callable[[int], int] | int = _SIX_TIMES,
    stride: int = 1,
    rate: int = 1,
    kernel_size: Sequence[int] = (3, 3),
    residual: bool = True,
    normalizer_fn: Callable[..., tf.Tensor] | None = None,
    split_projection: int = 1,
    split_expansion: int = 1,
    split_divisible_by: int = 8,
    expansion_transform: Callable[..., tf.Tensor] | None = None,
    depthwise_location: str | None = "expansion",
    endpoints: dict[str, tf.Tensor] | None = None,
    use_explicit_padding: bool = False,
    inner_activation_fn: Callable[..., tf.Tensor] | None = None,
    project_activation_fn: Callable[..., tf.Tensor] | None = None,
    scope: str | None = None,
) -> tf.Tensor:
    """Expands to more channels, filters each by itself, projects to a few.

    Args:
      input_tensor: `[batch, height, width, channels]` float32.
      num_outputs: channels after the projection.
      expansion_size: channels after the expansion, or a function to them from the input
        channels. No more than the input has: there is no expansion.
      stride: of the depthwise convolution, or of the fused one.
      rate: its dilation.
      kernel_size: its height and width.
      residual: add the input where the stride is 1 and the channels are as many.
      normalizer_fn: of every convolution.
      split_projection: groups of the projection.
      split_expansion: groups of the expansion.
      split_divisible_by: what the channels of a group are a multiple of.
      expansion_transform: from the keyword arguments `expansion_tensor` (what would be
        projected) and `input_tensor` to what is projected.
      depthwise_location: "expansion": a depthwise convolution follows the 1x1
        expansion. None: the block is fused: a full convolution of `kernel_size`
        expands, nothing is depthwise.
      endpoints: receives `output`, and `expansion_output` and `depthwise_output` if the
        block has such a layer.
      use_explicit_padding: pad by the kernel's size, then convolve VALID.
      inner_activation_fn: of expansion and depthwise; by default that of the scope.
      project_activation_fn: of the projection.
      scope: variable scope.

    Returns:
      `[batch, ceil(height / stride), ceil(width / stride), num_outputs]` float32.

    Raises:
      ValueError: `depthwise_location` is neither of the two.
    """
    if depthwise_location not in ("expansion", None):
        raise ValueError(
            f"depthwise_location is {depthwise_location}; it must be expansion or None."
        )
    outputs = {} if endpoints is None else endpoints
    num_inputs = input_tensor.shape.as_list()[-1]
    inner_size = (
        expansion_size(num_inputs) if callable(expansion_size) else expansion_size
    )
    inner: dict[str, Any] = {"normalizer_fn": normalizer_fn}
    if inner_activation_fn is not None:
        inner["activation_fn"] = inner_activation_fn
    spatial = {
        "kernel_size": kernel_size,
        "stride": stride,
        "rate": rate,
        "padding": "VALID" if use_explicit_padding else "SAME",
    }

    def named(net: tf.Tensor, name: str) -> tf.Tensor:
        outputs[name] = tf.identity(net, name)
        return outputs[name]

    def padded(net: tf.Tensor) -> tf.Tensor:
        return fixed_padding(net, kernel_size, rate) if use_explicit_padding else net

    with tf.compat.v1.variable_scope(scope, "expanded_conv", [input_tensor]):
        net = input_tensor
        if inner_size > num_inputs:
            if depthwise_location is None:
                net = slim.conv2d(
                    padded(net), inner_size, scope="expand", **spatial, **inner
                )
            else:
                net = split_conv(
                    net,
                    inner_size,
                    split_expansion,
                    "expand",
                    split_divisible_by,
                    **inner,
                )
            net = named(net, "expansion_output")
        if depthwise_location is not None:
            net = slim.separable_conv2d(
                padded(net),
                None,
                depth_multiplier=1,
                scope="depthwise",
                **spatial,
                **inner,
            )
            net = named(net, "depthwise_output")
        if expansion_transform is not None:
            net = expansion_transform(expansion_tensor=net, input_tensor=input_tensor)
        net = split_conv(
            net,
            num_outputs,
            split_projection,
            "project",
            split_divisible_by,
            normalizer_fn=normalizer_fn,
            activation_fn=project_activation_fn,
        )
        if residual and stride == 1 and num_outputs == num_inputs:
            net += input_tensor
        return named(net, "output")
