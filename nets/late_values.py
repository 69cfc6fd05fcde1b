"""Initial values that are drawn after the variables are made, and only where needed."""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf


class LateValues:
    """Makes variables that are NaN until they are restored or drawn.

    Drawing the values of a large net takes seconds, in vain where a checkpoint has
    them. A variable that is forgotten makes loss and probabilities NaN.
    """

    def __init__(self) -> None:
        self._draw: dict[str, Callable[[], tf.Tensor]] = {}

    def create(
        self, next_creator: Callable[..., tf.Variable], **kwargs: Any
    ) -> tf.Variable:
        """Makes a variable; for `tf.variable_creator_scope`."""
        draw = kwargs["initial_value"]
        if isinstance(draw, functools.partial):  # an initializer and its shape
            self._draw[kwargs["name"]] = draw
            nan = tf.constant(math.nan, kwargs["dtype"])
            kwargs["initial_value"] = functools.partial(tf.fill, draw.args[0], nan)
        return next_creator(**kwargs)

    def draw(self, variables: Mapping[str, tf.Variable]) -> None:
        """Draws initial values; call under the `strategy.scope()` of the variables.

        Args:
          variables: by name, those to draw.
        """
        for name, variable in variables.items():
            if name in self._draw:
                # A new variable, as on several machines it gets the first one's values.
                drawn = tf.Variable(self._draw[name], trainable=False)
                variable.assign(tf.convert_to_tensor(drawn))
