"""The tables (`conv_defs`) of MobileNet v2 and v3.

A table is a dict:

  spec       the layers in order, each made by `op`
  defaults   {layer functions: keyword arguments}: arg scopes around the whole network
  overrides  likewise, optional: arguments that replace those in the spec
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from nets import slim
from nets.mobilenet import conv_blocks


@slim.add_arg_scope
def depth_multiplier(
    output_params: dict[str, Any],
    multiplier: float,
    divisible_by: int = 8,
    min_depth: int = 8,
) -> None:
    """Multiplies `num_outputs` in a layer's arguments, if it is among them.

    Args:
      output_params: the arguments, changed in place.
      multiplier: factor of the channels.
      divisible_by: what the new number of channels is a multiple of.
      min_depth: least number of channels.
    """
    if "num_outputs" in output_params:
        depth = output_params["num_outputs"] * multiplier
        output_params["num_outputs"] = conv_blocks.make_divisible(
            depth, divisible_by, min_depth
        )


class Op(NamedTuple):
    """One layer of a table.

    Attributes:
      op: from a tensor and `params` to a tensor.
      params: its keyword arguments at width 1.
      multiplier_func: from `params` and the width to `params` at that width, in place.
    """

    op: Callable[..., tf.Tensor]
    params: dict[str, Any]
    multiplier_func: Callable[[dict[str, Any], float], None]


def op(
    opfunc: Callable[..., tf.Tensor],
    multiplier_func: Callable[[dict[str, Any], float], None] = depth_multiplier,
    **params: Any,
) -> Op:
    """A layer of a table."""
    return Op(opfunc, params, multiplier_func)


def finegrained(conv_defs: dict[str, Any], multiplier: float) -> dict[str, Any]:
    """`conv_defs` whose last layer keeps its channels when the network is narrowed."""
    if multiplier >= 1:
        return conv_defs
    *body, last = conv_defs["spec"]
    return conv_defs | {"spec": [*body, last._replace(multiplier_func=_as_it_is)]}


def _as_it_is(output_params: dict[str, Any], multiplier: float) -> None:
    """The multiplier function that multiplies nothing."""


def thinned(
    conv_defs: dict[str, Any], layers: slice, multiplier: float
) -> dict[str, Any]:
    """`conv_defs` with `multiplier` times the channels in some of its layers."""
    spec = list(conv_defs["spec"])
    spec[layers] = [
        layer._replace(
            params=layer.params
            | {"num_outputs": round(layer.params["num_outputs"] * multiplier)}
        )
        for layer in spec[layers]
    ]
    return conv_defs | {"spec": spec}


def with_normalizer(
    conv_defs: dict[str, Any], normalizer_fn: Callable[..., tf.Tensor]
) -> dict[str, Any]:
    """`conv_defs` with another normaliser in its defaults."""
    defaults = {
        ops: values | {"normalizer_fn": normalizer_fn}
        if "normalizer_fn" in values
        else values
        for ops, values in conv_defs["defaults"].items()
    }
    return conv_defs | {"defaults": defaults}


def _dilated(strides: list[int], output_stride: int | None) -> list[tuple[int, int]]:
    """Stride and rate of each layer: past `output_stride`, strides become dilation."""
    result = []
    current_stride, rate = 1, 1
    for stride in strides:
        if current_stride == output_stride:
            result.append((1, rate))
            rate *= stride
        else:
            result.append((stride, 1))
            current_stride *= stride
    return result


def layer_params(
    conv_defs: dict[str, Any], multiplier: float, output_stride: int | None
) -> list[dict[str, Any]]:
    """The arguments of each layer at this width and output stride."""
    layers = []
    for layer in conv_defs["spec"]:
        params = dict(layer.params)
        for ops, values in conv_defs.get("overrides", {}).items():
            if layer.op in ops:
                params |= values
        layer.multiplier_func(params, multiplier)
        layers.append(params)
    strides = [params.get("stride", 1) for params in layers]
    for params, (stride, rate) in zip(
        layers, _dilated(strides, output_stride), strict=True
    ):
        params["stride"] = stride
        if rate > 1 and tuple(params.get("kernel_size", ())) != (1, 1):
            params["rate"] = rate
    return layers
