"""CifarNet: the small net of TensorFlow's CIFAR-10 tutorial.

Two convolutions with local response normalization (section 3.3 of Krizhevsky et al.,
"ImageNet Classification with Deep Convolutional Neural Networks", 2012) and three fully
connected layers. Neither weights nor an accuracy were published.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from nets import slim
from nets.end_points import EndPoints


def _truncated_normal(stddev: float) -> Any:
    return tf.compat.v1.truncated_normal_initializer(stddev=stddev)


def cifarnet(
    images: tf.Tensor,
    num_classes: int | None = 10,
    is_training: bool = False,
    dropout_keep_prob: float = 0.5,
    prediction_fn: Callable[..., tf.Tensor] = slim.softmax,
    scope: str = "CifarNet",
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """CifarNet.

    Args:
      images: `[batch, height, width, channels]` float32 of known size, standardized
        per image by its preprocessing.
      num_classes: number of logits; None or 0 returns the output of `fc4` instead.
      is_training: whether dropout is on.
      dropout_keep_prob: fraction of features kept in training.
      prediction_fn: maps the logits to the end point `Predictions`.
      scope: variable scope.

    Returns:
      The logits `[batch, num_classes]` (or features `[batch, 192]`), and all end points
      by name.
    """
    end_points = EndPoints()
    with tf.compat.v1.variable_scope(scope, "CifarNet", [images]):
        net = end_points["conv1"] = slim.conv2d(images, 64, [5, 5], scope="conv1")
        net = end_points["pool1"] = slim.max_pool2d(net, [2, 2], 2, scope="pool1")
        net = _lrn(net, "norm1")
        net = end_points["conv2"] = slim.conv2d(net, 64, [5, 5], scope="conv2")
        net = _lrn(net, "norm2")
        net = end_points["pool2"] = slim.max_pool2d(net, [2, 2], 2, scope="pool2")
        net = end_points["Flatten"] = slim.flatten(net)
        net = end_points["fc3"] = slim.fully_connected(net, 384, scope="fc3")
        net = slim.dropout(
            net, dropout_keep_prob, is_training=is_training, scope="dropout3"
        )
        net = end_points["fc4"] = slim.fully_connected(net, 192, scope="fc4")
        if not num_classes:
            return net, end_points
        logits = end_points["Logits"] = slim.fully_connected(
            net,
            num_classes,
            biases_initializer=tf.compat.v1.zeros_initializer(),
            weights_initializer=_truncated_normal(1 / 192.0),
            weights_regularizer=None,
            activation_fn=None,
            scope="logits",
        )
        end_points["Predictions"] = prediction_fn(logits, scope="Predictions")
    return logits, end_points


cifarnet.default_image_size = 32  # type: ignore[attr-defined]


def _lrn(net: tf.Tensor, name: str) -> tf.Tensor:
    """Local response normalization over nine channels."""
    wide = tf.cast(net, tf.float32)  # there is no kernel for bfloat16
    wide = tf.nn.lrn(wide, 4, bias=1.0, alpha=0.001 / 9.0, beta=0.75, name=name)
    return tf.cast(wide, net.dtype)


def cifarnet_arg_scope(weight_decay: float = 0.004) -> dict[str, Any]:
    """The default layer arguments CifarNet was trained with.

    Args:
      weight_decay: coefficient of the L2 penalty on the weights of `fc3` and `fc4`.

    Returns:
      An arg scope, for `slim.arg_scope`.
    """
    with (
        slim.arg_scope(
            [slim.conv2d],
            weights_initializer=_truncated_normal(0.05),
            activation_fn=tf.nn.relu,
        ),
        slim.arg_scope(
            [slim.fully_connected],
            biases_initializer=tf.compat.v1.constant_initializer(0.1),
            weights_initializer=_truncated_normal(0.04),
            weights_regularizer=slim.l2_regularizer(weight_decay),
            activation_fn=tf.nn.relu,
        ) as scope,
    ):
        return scope
