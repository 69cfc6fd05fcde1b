"""A row of the table of nets, and what makes the functions in it."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

NetworkFn = Callable[..., tuple[tf.Tensor, dict[str, tf.Tensor]]]


@dataclasses.dataclass(frozen=True)
class NetEntry:
    """What the commands need to know about a net.

    Attributes:
      builder: maps (images, num_classes, is_training) to (logits, end points).
      arg_scope: maps weight_decay to the net's default layer arguments.
      image_size: default side of the square input image, in pixels.
      head_scopes: scopes whose shapes depend on the number of classes, including the
        auxiliary head: what fine-tuning does not restore, and trains first.
      preprocessing: name of the preprocessing the net was trained with.
    """

    builder: NetworkFn
    arg_scope: Callable[..., dict[str, Any]]
    image_size: int
    head_scopes: tuple[str, ...]
    preprocessing: str


def named(network: Callable[..., Any], name: str, image_size: int) -> NetworkFn:
    """A net's function with its name, and with slim's `default_image_size`."""
    network.__name__ = network.__qualname__ = name
    network.default_image_size = image_size  # type: ignore[attr-defined]
    return network


def of_size(
    build: Callable[..., Any], sizes: Mapping[str, Any], name: str, image_size: int
) -> NetworkFn:
    """The net of a family that has a name for each size; its scope is that name.

    Args:
      build: maps (images, size, num_classes) to (logits, end points).
      sizes: by name.
      name: a key of `sizes`.
      image_size: default side of the images, in pixels.
    """

    def network(
        images: tf.Tensor, num_classes: int | None = 1000, **kwargs: Any
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """One size of a family, whose function in the same module has the arguments."""
        return build(images, sizes[name], num_classes, **{"scope": name} | kwargs)

    return named(network, name, image_size)


def wrapped_partial(
    func: Callable[..., Any],
    *args: Any,
    new_defaults: dict[str, Any] | None = None,
    **kwargs: Any,
) -> Callable[..., Any]:
    """`func` with other defaults, keeping its docstring and attributes."""
    result = functools.partial(func, *args, **(new_defaults or {}), **kwargs)
    functools.update_wrapper(result, func)
    return result
