"""Copies of variables, which a checkpoint holds along with the variables."""

from collections.abc import Mapping

import tensorflow as tf


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
            variable.numpy(),
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        for name, variable in variables.items()
    }
