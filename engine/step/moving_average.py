"""Moving averages of the variables, as slim keeps them."""

import contextlib
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from engine.step import variable_copies
from engine.step.variable_copies import on_devices

SUFFIX = "ExponentialMovingAverage"


class MovingAverage:
    """A shadow variable for every variable of a net, batch-norm statistics included.

    shadow -= (1 - d) * (shadow - variable), with d = min(decay, (1 + t) / (10 + t)) at
    step t, so that the initial values are soon forgotten (`tf.train`'s
    ExponentialMovingAverage with `num_updates`).

    Slim does not order averages and updates: whether a variable is averaged as it is
    before a step or after it is a matter of chance. Here step t, counted from 0, begins
    with the averages, which is what happens in slim most of the time.

    Attributes:
      shadows: the averages by their names in a checkpoint,
        `<variable>/ExponentialMovingAverage`.
    """

    def __init__(self, variables: Mapping[str, tf.Variable], decay: float) -> None:
        """Makes the shadows, equal to the variables; call under `strategy.scope()`."""
        self._variables = dict(variables)
        self._decay = decay
        self.shadows = variable_copies.make(self._variables, SUFFIX)

    def update(self, step: tf.Tensor) -> None:
        """Moves every shadow towards its variable.

        Args:
          step: scalar integer, the global step before this one.
        """
        t = tf.cast(step, tf.float32)
        decay = tf.minimum(self._decay, (1 + t) / (10 + t))
        for pair in self._pairs():
            for variable, shadow in zip(*map(on_devices, pair), strict=True):
                with tf.device(shadow.device):
                    shadow.assign_sub((1 - decay) * (shadow - variable))

    def follow(self) -> None:
        """Sets every shadow to its variable, as after a warm start."""
        for variable, shadow in self._pairs():
            shadow.assign(variable_copies.value(variable))

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, the variables hold their averages; afterwards, their own values."""
        shadows = zip(self._variables, self.shadows.values(), strict=True)
        values = {name: variable_copies.value(shadow) for name, shadow in shadows}
        with holding(self._variables, values):
            yield

    def _pairs(self) -> Iterator[tuple[tf.Variable, tf.Variable]]:
        return zip(self._variables.values(), self.shadows.values(), strict=True)


@contextlib.contextmanager
def holding(
    variables: Mapping[str, tf.Variable], values: Mapping[str, np.ndarray]
) -> Iterator[None]:
    """Inside, variables hold other values; afterwards, their own on every device.

    Only the copies on this machine change: another one need not come here too, as it
    does not where the chief saves.

    Args:
      variables: by name.
      values: the values to hold, by the names of the variables to change.
    """
    copies = [
        (device_variable, device_variable.numpy(), value)
        for name, value in values.items()
        for device_variable in on_devices(variables[name])
    ]
    for device_variable, _, value in copies:
        device_variable.assign(value)
    try:
        yield
    finally:
        for device_variable, own, _ in copies:
            device_variable.assign(own)
