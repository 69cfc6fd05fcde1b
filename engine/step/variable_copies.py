"""Copies of variables: beside them in a checkpoint, and on each device."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf


def on_devices(variable: tf.Variable) -> list[tf.Variable]:
    """The copies of a variable on the devices of this machine.

    All hold the same at the end of a step. Reading a statistic of batch norm as a whole
    would make TensorFlow average the copies, over all machines at once.
    """
    return list(getattr(variable, "values", [variable]))


def value(variable: tf.Variable) -> np.ndarray:
    """The value of a variable at the end of a step, the same on every device."""
    return np.asarray(on_devices(variable)[0].numpy())


def make(variables: Mapping[str, tf.Variable], suffix: str) -> dict[str, tf.Variable]:
    """Copies variables; call under `strategy.scope()`.

    Args:
      variables: by name.
      suffix: last part of the copies' names in a checkpoint.

    Returns:
      The copies by name, `<variable>/<suffix>`; they are the same on every replica.
    """
    return {
        f"{name}/{suffix}": tf.Variable(
            value(variable),
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        for name, variable in variables.items()
    }
