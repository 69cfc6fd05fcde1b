"""The blocks of MobileNet v2 and v3.

The expanded convolution (inverted residual) is that of Sandler et al., "MobileNetV2:
Inverted Residuals and Linear Bottlenecks", https://arxiv.org/abs/1801.04381, section 3.
"""

import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from nets import slim
from nets.mobilenet import layer_sizes
from nets.mobilenet.split_conv import split_conv as split_conv
from nets.mobilenet.squeeze_excite import global_pool as global_pool
from nets.mobilenet.squeeze_excite import squeeze_excite as squeeze_excite

expand_input_by_factor = layer_sizes.expand_input_by_factor

_SIX_TIMES = expand_input_by_factor(6)


def _depth(net: tf.Tensor) -> int:
    return net.shape.as_list()[-1]


@slim.add_arg_scope
def split_separable_conv2d(
    input_tensor: tf.Tensor,
    num_outputs: int,
    scope: str | None = None,
    normalizer_fn: Callable[..., tf.Tensor] | None = None,
    stride: int = 1,
    rate: int = 1,
    endpoints: dict[str, tf.Tensor] | None = None,
    use_explicit_padding: bool = False,
) -> tf.Tensor:
    """The block of MobileNet v1: a 3x3 depthwise, then a pointwise (1x1) convolution.

    Unlike in `slim.separable_conv2d`, both are followed by normalizer and activation.

    Args:
      input_tensor: `[batch, height, width, channels]` float32.
      num_outputs: output channels.
      scope: the variable scopes are `<scope>_depthwise` and `<scope>_pointwise`, as in
        MobileNet v1; without it, `separable/depthwise` and so on, made unique.
      normalizer_fn: normalizer of both convolutions.
      stride: stride of the depthwise convolution.
      rate: its dilation.
      endpoints: receives both outputs by the names of their scopes.
      use_explicit_padding: pad by the size of the kernel, then convolve with VALID.
    """
    outputs = {} if endpoints is None else endpoints
    prefix = f"{scope}_" if scope else ""
    net, padding = input_tensor, "SAME"
    if use_explicit_padding:
        net, padding = layer_sizes.fixed_padding(net, (3, 3), rate), "VALID"
    with contextlib.ExitStack() as stack:
        if not scope:
            stack.enter_context(tf.compat.v1.variable_scope(None, "separable"))
        net = outputs[f"{prefix}depthwise"] = slim.separable_conv2d(
            net,
            None,
            [3, 3],
            depth_multiplier=1,
            stride=stride,
            rate=rate,
            normalizer_fn=normalizer_fn,
            padding=padding,
            scope=f"{prefix}depthwise",
        )
        scope = f"{prefix}pointwise"
        net = outputs[scope] = slim.conv2d(
            net, num_outputs, [1, 1], normalizer_fn=normalizer_fn, scope=scope
        )
    return net


@slim.add_arg_scope
def expanded_conv(
    input_tensor: tf.Tensor,
    num_outputs: int,
    expansion_size: Callable[..., int] | int = _SIX_TIMES,
    stride: int = 1,
    rate: int = 1,
    kernel_size: Sequence[int] = (3, 3),
    residual: Callable[..., tf.Tensor] | bool = True,
    normalizer_fn: Callable[..., tf.Tensor] | None = None,
    split_projection: int = 1,
    split_expansion: int = 1,
    split_divisible_by: int = 8,
    expansion_transform: Callable[..., tf.Tensor] | None = None,
    depthwise_location: str | None = "expansion",
    depthwise_channel_multiplier: int = 1,
    endpoints: dict[str, tf.Tensor] | None = None,
    use_explicit_padding: bool = False,
    padding: str = "SAME",
    inner_activation_fn: Callable[..., tf.Tensor] | None = None,
    depthwise_activation_fn: Callable[..., tf.Tensor] | None = None,
    project_activation_fn: Callable[..., tf.Tensor] | None = None,
    depthwise_fn: Callable[..., tf.Tensor] = slim.separable_conv2d,
    expansion_fn: Callable[..., tf.Tensor] = split_conv,
    projection_fn: Callable[..., tf.Tensor] = split_conv,
    scope: str | None = None,
) -> tf.Tensor:
    """Expands to more channels, filters each of them, and projects to few.

    Args:
      input_tensor: `[batch, height, width, channels]` float32.
      num_outputs: channels after the projection.
      expansion_size: channels after the expansion, or a function that computes them
        from the keyword argument `num_inputs`. There is no expansion unless they exceed
        the input channels.
      stride: stride of the depthwise convolution.
      rate: its dilation.
      kernel_size: its height and width.
      residual: whether to add the input, if stride and channels allow it; or a function
        of the keyword arguments `input_tensor` and `output_tensor`.
      normalizer_fn: normalizer of every convolution.
      split_projection: number of groups of the projection.
      split_expansion: number of groups of the expansion.
      split_divisible_by: divisor of the number of channels of a group.
      expansion_transform: maps the keyword arguments `expansion_tensor` (which would be
        projected otherwise) and `input_tensor` to what is projected.
      depthwise_location: place of the depthwise convolution: after the "expansion", or
        on the "input" or "output", without activation; None omits it.
      depthwise_channel_multiplier: depthwise filters per channel.
      endpoints: receives `output`, `projection_output` and, if built,
        `expansion_output` and `depthwise_output`.
      use_explicit_padding: pad by the size of the kernel, then convolve with VALID.
      padding: padding of the depthwise convolution, unless explicit.
      inner_activation_fn: activation of expansion and depthwise; by default that of the
        arg scope.
      depthwise_activation_fn: activation of the depthwise convolution, if different.
      project_activation_fn: activation of the projection.
      depthwise_fn: the depthwise convolution.
      expansion_fn: the expansion: maps a tensor and the number of channels to a tensor.
      projection_fn: the projection, likewise.
      scope: variable scope.

    Returns:
      `[batch, ceil(height / stride), ceil(width / stride), num_outputs]` float32.

    Raises:
      TypeError: unknown `depthwise_location`, or explicit padding other than SAME.
    """
    _check(depthwise_location, use_explicit_padding, padding)
    outputs = {} if endpoints is None else endpoints

    def named(net: tf.Tensor, name: str) -> tf.Tensor:
        outputs[name] = tf.identity(net, name)
        return outputs[name]

    def depthwise(net: tf.Tensor, **options: Any) -> tf.Tensor:
        if use_explicit_padding:
            net = layer_sizes.fixed_padding(net, kernel_size, rate)
        net = depthwise_fn(
            net,
            num_outputs=None,
            kernel_size=kernel_size,
            depth_multiplier=depthwise_channel_multiplier,
            stride=stride,
            rate=rate,
            normalizer_fn=normalizer_fn,
            padding="VALID" if use_explicit_padding else padding,
            scope="depthwise",
            **options,
        )
        return named(net, "depthwise_output")

    with (
        tf.compat.v1.variable_scope(scope, "expanded_conv", [input_tensor]),
        slim.safe_arg_scope([slim.conv2d], activation_fn=inner_activation_fn),
        slim.safe_arg_scope(
            [slim.separable_conv2d],
            activation_fn=depthwise_activation_fn or inner_activation_fn,
        ),
    ):
        net = input_tensor
        if depthwise_location == "input":
            net = depthwise(net, activation_fn=None)
        inner_size = (
            expansion_size(num_inputs=_depth(input_tensor))
            if callable(expansion_size)
            else expansion_size
        )
        if inner_size > _depth(net):
            expand = _grouped(expansion_fn, split_expansion, split_divisible_by)
            net = expand(net, inner_size, scope="expand", normalizer_fn=normalizer_fn)
            net = named(net, "expansion_output")
        if depthwise_location == "expansion":
            net = depthwise(net)
        if expansion_transform is not None:
            net = expansion_transform(expansion_tensor=net, input_tensor=input_tensor)
        project = _grouped(projection_fn, split_projection, split_divisible_by)
        net = outputs["projection_output"] = project(
            net,
            num_outputs,
            scope="project",
            normalizer_fn=normalizer_fn,
            activation_fn=project_activation_fn,
        )
        if depthwise_location == "output":
            net = depthwise(net, activation_fn=None)
        return named(_add(residual, stride, input_tensor, net), "output")


def _check(
    depthwise_location: str | None, use_explicit_padding: bool, padding: str
) -> None:
    if depthwise_location not in ("input", "expansion", "output", None):
        raise TypeError(
            f"depthwise_location is {depthwise_location}; it must be input, expansion,"
            " output or None."
        )
    if use_explicit_padding and padding != "SAME":
        raise TypeError(f"padding is {padding}; use_explicit_padding needs SAME.")


def _grouped(
    layer: Callable[..., tf.Tensor], num_ways: int, divisible_by: int
) -> Callable[..., tf.Tensor]:
    """`layer` with its groups, if it is one that can have them."""
    if layer is not split_conv:
        return layer
    return functools.partial(layer, num_ways=num_ways, divisible_by=divisible_by)


def _add(
    residual: Callable[..., tf.Tensor] | bool,
    stride: int,
    input_tensor: tf.Tensor,
    net: tf.Tensor,
) -> tf.Tensor:
    """The sum of `net` and the input, or the result of `residual`."""
    if callable(residual):
        return residual(input_tensor=input_tensor, output_tensor=net)
    is_alike = stride == 1 and _depth(net) == _depth(input_tensor)
    return net + input_tensor if residual and is_alike else net
