"""Copies of variables that a checkpoint holds beside them."""

from collections.abc import Mapping

import tensorflow as tf


def make(variables: Mapping[str, tf.Variable], suffix: str) -> dict[str, tf.Variable]:
    """Copies, equal to the variables; call under `strategy.scope()`.

    Args:
      variables: by name.
      suffix: last part of the copies' names in a checkpoint.

    Returns:
      The copies by their names, `<variable>/<suffix>`; every replica has the same.
    """
    return {
        f"{name}/{suffix}": tf.Variable(
            variable.numpy(),
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        for name, variable in variables.items()
    }
