"""The head of nets whose features are pooled: dropout, logits, probabilities."""

import tensorflow as tf

from nets import slim


def classified(
    net: tf.Tensor, num_classes: int | None, end_points: dict[str, tf.Tensor]
) -> tf.Tensor:
    """Dropout and the logits of features.

    Args:
      net: `[batch, channels]`.
      num_classes: number of logits; None or 0 gives the features as they are.
      end_points: receives `Logits` and `Predictions`.

    Returns:
      `[batch, num_classes]`, or `net`.
    """
    if not num_classes:
        return net
    net = slim.dropout(net, scope="Dropout")
    net = slim.fully_connected(
        net, num_classes, activation_fn=None, normalizer_fn=None, scope="Logits"
    )
    end_points["Logits"] = net
    end_points["Predictions"] = slim.softmax(net, scope="Predictions")
    return net
