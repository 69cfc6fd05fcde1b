"""The tables (`conv_defs`) of MobileNet v2 and v3.

A table is a dict:

  spec       the layers in order, each made by `op`
  defaults   {layer functions: keyword arguments}: arg scopes around the whole net
  overrides  the same, optional, inside the defaults
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from nets import slim
from nets.mobilenet import layer_sizes


@slim.add_arg_scope
def depth_multiplier(
    output_params: dict[str, Any],
    multiplier: float,
    divisible_by: int = 8,
    min_depth: int = 8,
    **_: Any,
) -> None:
    """Multiplies `num_outputs` in a layer's arguments, if it is among them.

    Args:
      output_params: the arguments, modified in place.
      multiplier: factor for the channels.
      divisible_by: divisor of the new number of channels.
      min_depth: minimum number of channels.
    """
    if "num_outputs" in output_params:
        depth = output_params["num_outputs"] * multiplier
        output_params["num_outputs"] = layer_sizes.make_divisible(
            depth, divisible_by, min_depth
        )


class Op(NamedTuple):
    """One layer of a table.

    Attributes:
      op: maps a tensor and `params` to a tensor.
      params: its keyword arguments at width 1.
      multiplier_func: changes `params`, in place, to those at a given width.
    """

    op: Callable[..., tf.Tensor]
    params: dict[str, Any]
    multiplier_func: Callable[[dict[str, Any], float], None]


def op(
    opfunc: Callable[..., tf.Tensor],
    multiplier_func: Callable[[dict[str, Any], float], None] = depth_multiplier,
    **params: Any,
) -> Op:
    """A layer of a table; `multiplier_transform` is an alias of `multiplier_func`."""
    return Op(opfunc, params, params.pop("multiplier_transform", multiplier_func))


def finegrained(conv_defs: dict[str, Any]) -> dict[str, Any]:
    """`conv_defs` with the same channels in its last layer at every width."""
    *body, last = conv_defs["spec"]
    return conv_defs | {"spec": [*body, last._replace(multiplier_func=_as_it_is)]}


def _as_it_is(output_params: dict[str, Any], multiplier: float) -> None:
    """The multiplier function that changes nothing."""


def thinned(
    conv_defs: dict[str, Any], layers: slice, multiplier: float
) -> dict[str, Any]:
    """`conv_defs` with `multiplier` times the channels in the given layers."""
    spec = list(conv_defs["spec"])
    spec[layers] = [
        layer._replace(
            params=layer.params
            | {"num_outputs": round(layer.params["num_outputs"] * multiplier)}
        )
        for layer in spec[layers]
    ]
    return conv_defs | {"spec": spec}


def with_group_norm(defaults: dict[Any, Any], groups: int = 8) -> dict[Any, Any]:
    """`defaults` with group norm instead of every normalizer."""
    group_norm = slim.tf_slim.group_norm
    return {
        (group_norm,): {"groups": groups},
        **{
            funcs: values | {"normalizer_fn": group_norm}
            if "normalizer_fn" in values
            else values
            for funcs, values in defaults.items()
        },
    }


def _dilated(strides: list[int], output_stride: int | None) -> list[tuple[int, int]]:
    """Stride and rate per layer: beyond `output_stride`, strides become dilation."""
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
    """The arguments of each layer at the given width and output stride."""
    layers = []
    for layer in conv_defs["spec"]:
        params = dict(layer.params)
        layer.multiplier_func(params, multiplier)
        layers.append(params)
    strides = [params.get("stride", 1) for params in layers]
    for params, (stride, rate) in zip(
        layers, _dilated(strides, output_stride), strict=True
    ):
        params["stride"] = stride
        if rate > 1 and tuple(params.get("kernel_size", ())) != (1, 1):
            params["rate"] = rate
        expansion = params.get("expansion_fn")
        if isinstance(expansion, functools.partial) and "stride" in expansion.keywords:
            # A fused block has its stride in the expansion.
            params["expansion_fn"] = functools.partial(
                expansion, stride=stride, rate=rate
            )
    return layers
