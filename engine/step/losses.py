"""Loss and L2 penalty, whose sum is the total loss that training minimizes.

Everywhere (log, TensorBoard, validation, metrics.json) `loss` excludes the penalty and
`total_loss` includes it.
"""

import functools
from collections.abc import Callable, Sequence

import tensorflow as tf

AUX_LOSS_WEIGHT = 0.4  # slim; Szegedy et al., https://arxiv.org/abs/1409.4842, use 0.3


def data_loss(
    targets: tf.Tensor,
    logits: tf.Tensor,
    aux_logits: tf.Tensor | None,
    *,
    label_smoothing: float,
) -> tf.Tensor:
    """Softmax cross-entropy of the logits, and 0.4 times that of the auxiliary logits.

    Smoothing s turns a one-hot target into onehot*(1-s) + s/classes (Szegedy et al.,
    https://arxiv.org/abs/1512.00567, section 7).

    Args:
      targets: `[batch, classes]` float32, rows of sum 1: one-hot, or mixed.
      logits: `[batch, classes]` float32.
      aux_logits: the same of the auxiliary head, or None.
      label_smoothing: in [0, 1].

    Returns:
      Scalar float32, the mean over the batch.
    """
    targets = targets * (1 - label_smoothing) + label_smoothing / logits.shape[-1]
    loss = _mean_cross_entropy(targets, logits)
    if aux_logits is not None:
        loss += AUX_LOSS_WEIGHT * _mean_cross_entropy(targets, aux_logits)
    return loss


def _mean_cross_entropy(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))


def l2_penalty(variables: Sequence[tf.Variable], weight_decay: float) -> tf.Tensor:
    """weight_decay * sum(v**2) / 2 over the variables, as a float32 scalar."""
    if not weight_decay or not variables:
        return tf.constant(0.0)
    return weight_decay * tf.add_n([tf.nn.l2_loss(v) for v in variables])


def l2_penalty_fn(
    variables: Sequence[tf.Variable],
    trained: Sequence[tf.Variable],
    weight_decay: float,
) -> Callable[[], tf.Tensor]:
    """A function that returns the current `l2_penalty(variables, weight_decay)`.

    The share of the frozen variables is computed once, in the first call: in a step on
    cached features, reading all frozen weights would take longer than everything else.

    Args:
      variables: those that are regularized.
      trained: those that change from step to step.
      weight_decay: see `l2_penalty`.
    """
    trained_ids = {id(variable) for variable in trained}
    changing = [v for v in variables if id(v) in trained_ids]
    frozen = [v for v in variables if id(v) not in trained_ids]

    @functools.cache
    def frozen_penalty() -> float:
        with tf.init_scope():  # a value even while a step is being traced
            return float(l2_penalty(frozen, weight_decay))

    return lambda: l2_penalty(changing, weight_decay) + frozen_penalty()
