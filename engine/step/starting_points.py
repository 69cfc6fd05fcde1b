"""The values that restored weights started from, and the pull back to them."""

from collections.abc import Mapping

import tensorflow as tf

from engine.step import variable_copies

SUFFIX = "StartingPoint"


class StartingPoints:
    """L2-SP: a penalty on how far restored variables have moved.

    decay / 2 * sum((variable - start)**2), Li et al., "Explicit Inductive Bias for
    Transfer Learning with Convolutional Networks", https://arxiv.org/abs/1802.01483,
    equation 3; its β, for all other weights, is `--weight_decay`.

    Checkpoints hold the starting points, so that a resumed run keeps those that it
    began with.

    Attributes:
      points: the starting points by their names in a checkpoint,
        `<variable>/StartingPoint`.
    """

    def __init__(self, variables: Mapping[str, tf.Variable], decay: float) -> None:
        """Makes the points, equal to the variables; call under `strategy.scope()`.

        Args:
          variables: the variables that are both restored and trained, by name.
          decay: factor of the penalty.
        """
        self._variables = dict(variables)
        self._decay = decay
        self.points = variable_copies.make(self._variables, SUFFIX)

    def follow(self) -> None:
        """Sets every point to its variable, as after a warm start."""
        for variable, point in self._pairs():
            point.assign(variable_copies.value(variable))

    def holds(self, variable: tf.Variable) -> bool:
        """Whether a variable has a starting point."""
        return any(variable is held for held in self._variables.values())

    def penalty(self) -> tf.Tensor:
        """The penalty at the variables' current values, a float32 scalar."""
        return self._decay * tf.add_n(
            [
                tf.nn.l2_loss(tf.convert_to_tensor(variable) - point)
                for variable, point in self._pairs()
            ]
        )

    def _pairs(self) -> list[tuple[tf.Variable, tf.Variable]]:
        return list(zip(self._variables.values(), self.points.values(), strict=True))
