"""The factor on the loss that keeps small gradients from underflowing in float16."""

import tensorflow as tf

_FIRST = 2.0**15
_STEPS_TO_GROW = 2000


class LossScale:
    """Halves when a gradient overflows, doubles after 2000 steps without an overflow.

    Micikevicius et al., "Mixed Precision Training", https://arxiv.org/abs/1710.03740,
    section 3.2; the numbers are those of Keras.

    Attributes:
      scale: scalar float32 variable, 1 or more.
      good_steps: scalar int32 variable, steps since the scale last changed.
    """

    def __init__(self) -> None:
        """Makes the variables; call under `strategy.scope()`."""
        first_replica = tf.VariableAggregation.ONLY_FIRST_REPLICA
        self.scale = tf.Variable(_FIRST, trainable=False, aggregation=first_replica)
        self.good_steps = tf.Variable(0, trainable=False, aggregation=first_replica)

    def named_variables(self) -> dict[str, tf.Variable]:
        """The variables by their names in a checkpoint."""
        return {"loss_scale": self.scale, "loss_scale_good_steps": self.good_steps}

    def update(self, is_finite: tf.Tensor) -> None:
        """Adjusts the scale after a step.

        Args:
          is_finite: scalar bool, whether all gradients of the step were finite.
        """
        good_steps = tf.where(is_finite, self.good_steps + 1, 0)
        grows = good_steps == _STEPS_TO_GROW
        factor = tf.where(is_finite, tf.where(grows, 2.0, 1.0), 0.5)
        self.scale.assign(tf.maximum(self.scale * factor, 1.0))
        self.good_steps.assign(tf.where(grows, 0, good_steps))


def all_finite(tensors: list[tf.Tensor]) -> tf.Tensor:
    """Whether every value of every tensor is finite, a scalar bool."""
    return tf.reduce_all([tf.reduce_all(tf.math.is_finite(t)) for t in tensors])
