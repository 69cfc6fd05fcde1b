"""The loss and the L2 penalty; training minimizes their sum, the total loss.

In the log, TensorBoard, validation and metrics.json alike, `loss` excludes the penalty
and `total_loss` includes it.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from engine.step.starting_points import StartingPoints

AUX_LOSS_WEIGHT = 0.4  # slim; Szegedy et al., https://arxiv.org/abs/1409.4842, use 0.3
_LEAST_DOUBT = 1e-7  # a smaller 1 - p is rounding error


def data_loss(
    targets: tf.Tensor,
    logits: tf.Tensor,
    aux_logits: tf.Tensor | None,
    *,
    label_smoothing: float,
    class_weights: np.ndarray | None = None,
    focal_gamma: float = 0.0,
) -> tf.Tensor:
    """Softmax cross-entropy of the logits, and 0.4 times that of the auxiliary logits.

    Smoothing s turns a one-hot target into onehot*(1-s) + s/classes (Szegedy et al.,
    https://arxiv.org/abs/1512.00567, section 7).

    Args:
      targets: `[batch, classes]` float32, rows that sum to 1: one-hot, or mixed.
      logits: `[batch, classes]` float32.
      aux_logits: `[batch, classes]` float32, of the auxiliary head; None without one.
      label_smoothing: in [0, 1].
      class_weights: `[classes]` float32, the weight of each class's images; a mixed
        image has the weighted mean of its parts. None weighs all alike.
      focal_gamma: exponent of the focal loss, at least 0; above 0 only with one-hot,
        unsmoothed targets.

    Returns:
      Scalar float32, the mean over the batch.
    """
    weights = None
    if class_weights is not None:
        weights = tf.linalg.matvec(targets, class_weights)
    targets = targets * (1 - label_smoothing) + label_smoothing / logits.shape[-1]
    loss = _mean_loss(targets, logits, weights, focal_gamma)
    if aux_logits is not None:
        loss += AUX_LOSS_WEIGHT * _mean_loss(targets, aux_logits, weights, focal_gamma)
    return loss


def _mean_loss(
    targets: tf.Tensor,
    logits: tf.Tensor,
    weights: tf.Tensor | None,
    focal_gamma: float,
) -> tf.Tensor:
    """Mean over the images of weight * (1 - p)^gamma * cross-entropy.

    p is the probability of the true class: Lin et al., "Focal Loss",
    https://arxiv.org/abs/1708.02002, equation 4.
    """
    losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
    if focal_gamma:
        # 1 - p = 1 - exp(-loss). The minimum keeps the gradient finite: that of x^γ is
        # infinite at 0 for γ < 1.
        losses *= tf.maximum(-tf.math.expm1(-losses), _LEAST_DOUBT) ** focal_gamma
    if weights is not None:
        losses *= weights
    return tf.reduce_mean(losses)


def l2_penalty(variables: Sequence[tf.Variable], weight_decay: float) -> tf.Tensor:
    """weight_decay * sum(v**2) / 2 over the variables, as a float32 scalar."""
    if not weight_decay or not variables:
        return tf.constant(0.0)
    return weight_decay * tf.add_n([tf.nn.l2_loss(v) for v in variables])


def l2_penalty_fn(
    variables: Sequence[tf.Variable],
    trained: Sequence[tf.Variable],
    weight_decay: float,
    starting_points: StartingPoints | None = None,
) -> Callable[[], tf.Tensor]:
    """Makes a function that returns the current `l2_penalty(variables, weight_decay)`.

    The share of the frozen variables is computed only once, in the first call: in a
    step on cached features, reading all frozen weights would take longer than the rest.

    Args:
      variables: the regularized variables.
      trained: the variables that change from step to step.
      weight_decay: see `l2_penalty`.
      starting_points: their penalty replaces weight decay for the variables they hold.
    """
    if starting_points:
        others = [v for v in variables if not starting_points.holds(v)]
        decay_fn = l2_penalty_fn(others, trained, weight_decay)
        return lambda: decay_fn() + starting_points.penalty()
    trained_ids = {id(variable) for variable in trained}
    changing = [v for v in variables if id(v) in trained_ids]
    frozen = [v for v in variables if id(v) not in trained_ids]

    @functools.cache
    def frozen_penalty() -> float:
        with tf.init_scope():  # computes a value even while a step is being traced
            return float(l2_penalty(frozen, weight_decay))

    return lambda: l2_penalty(changing, weight_decay) + frozen_penalty()
