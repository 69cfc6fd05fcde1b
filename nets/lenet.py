"""LeNet as slim trains it on MNIST: wider, with ReLUs and dropout.

After LeCun et al., "Gradient-Based Learning Applied to Document Recognition",
http://yann.lecun.com/exdb/publis/pdf/lecun-01a.pdf, figure 2.
Neither weights nor an accuracy were published.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from nets import slim
from nets.end_points import EndPoints


def lenet(
    images: tf.Tensor,
    num_classes: int | None = 10,
    is_training: bool = False,
    dropout_keep_prob: float = 0.5,
    prediction_fn: Callable[..., tf.Tensor] = slim.softmax,
    scope: str = "LeNet",
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """LeNet.

    Args:
      images: `[batch, height, width, channels]` float32 of known size, in [-1, 1) as
        its preprocessing returns them.
      num_classes: number of logits; None or 0 returns the output of `dropout3`.
      is_training: whether dropout is on.
      dropout_keep_prob: fraction of features kept in training.
      prediction_fn: maps the logits to the end point `Predictions`.
      scope: variable scope.

    Returns:
      The logits `[batch, num_classes]` (or features `[batch, 1024]`), and all end
      points by name.
    """
    end_points = EndPoints()
    with tf.compat.v1.variable_scope(scope, "LeNet", [images]):
        net = end_points["conv1"] = slim.conv2d(images, 32, [5, 5], scope="conv1")
        net = end_points["pool1"] = slim.max_pool2d(net, [2, 2], 2, scope="pool1")
        net = end_points["conv2"] = slim.conv2d(net, 64, [5, 5], scope="conv2")
        net = end_points["pool2"] = slim.max_pool2d(net, [2, 2], 2, scope="pool2")
        net = end_points["Flatten"] = slim.flatten(net)
        net = end_points["fc3"] = slim.fully_connected(net, 1024, scope="fc3")
        net = end_points["dropout3"] = slim.dropout(
            net, dropout_keep_prob, is_training=is_training, scope="dropout3"
        )
        if not num_classes:
            return net, end_points
        logits = end_points["Logits"] = slim.fully_connected(
            net, num_classes, activation_fn=None, scope="fc4"
        )
    # Outside the scope, as in slim, where the node is named Predictions.
    end_points["Predictions"] = prediction_fn(logits, scope="Predictions")
    return logits, end_points


lenet.default_image_size = 28  # type: ignore[attr-defined]


def lenet_arg_scope(weight_decay: float = 0.0) -> dict[str, Any]:
    """The default layer arguments LeNet was trained with.

    Args:
      weight_decay: coefficient of the L2 penalty on all weights.

    Returns:
      An arg scope, for `slim.arg_scope`.
    """
    with slim.arg_scope(
        [slim.conv2d, slim.fully_connected],
        weights_regularizer=slim.l2_regularizer(weight_decay),
        weights_initializer=tf.compat.v1.truncated_normal_initializer(stddev=0.1),
        activation_fn=tf.nn.relu,
    ) as scope:
        return scope
