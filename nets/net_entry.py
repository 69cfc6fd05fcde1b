"""A row of the table of networks, and networks with other defaults."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

NetworkFn = Callable[..., tuple[tf.Tensor, dict[str, tf.Tensor]]]


@dataclasses.dataclass(frozen=True)
class NetEntry:
    """What the scripts need to know of a network.

    Attributes:
      builder: (images, num_classes, is_training) to (logits, end points).
      arg_scope: from weight_decay to the net's layer defaults.
      image_size: default side of the square input image, in pixels.
      head_scopes: scopes that depend on the number of classes, the auxiliary head
        included: what fine-tuning leaves out of a checkpoint and trains first.
      preprocessing: name of the preprocessing it was trained with.
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
    """`func` with other defaults, its documentation and its attributes."""
    result = functools.partial(func, *args, **(new_defaults or {}), **kwargs)
    functools.update_wrapper(result, func)
    return result
