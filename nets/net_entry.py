"""A row of the table of nets, and nets with other defaults."""

import dataclasses
import functools
from collections.abc import Callable
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
