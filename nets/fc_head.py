"""The fully connected layers of AlexNet, OverFeat and VGG, as convolutions.

Larger images then yield a map of logits (section 3.2 of the VGG paper,
https://arxiv.org/abs/1409.1556).
"""

import tensorflow as tf

from nets import slim


def fc_head(
    net: tf.Tensor,
    end_points: dict[str, tf.Tensor],
    *,
    root: str,
    fc6_depth: int,
    fc6_kernel: list[int],
    num_classes: int | None,
    is_training: bool,
    dropout_keep_prob: float,
    spatial_squeeze: bool,
    global_pool: bool,
    fc6_padding: str = "VALID",
) -> tf.Tensor:
    """Builds `fc6`, `fc7` and `fc8`, and adds them to `end_points`.

    Args:
      net: `[batch, height, width, channels]` float32.
      end_points: receives the layers by name, `<root>/<layer>`.
      root: name of the net's variable scope.
      fc6_depth: channels of `fc6`; `fc7` has 4096.
      fc6_kernel: height and width of the kernel of `fc6`, which covers the whole map at
        the net's own image size.
      num_classes: number of logits; None or 0 omits `fc8`.
      is_training: whether dropout is on.
      dropout_keep_prob: fraction of features kept in training.
      spatial_squeeze: return logits `[batch, num_classes]`, not `[batch, 1, 1, …]`.
      global_pool: average over the feature map before `fc8`.
      fc6_padding: padding of `fc6`.

    Returns:
      The logits, or the features if there are no classes.
    """

    def dropout(net: tf.Tensor, scope: str) -> tf.Tensor:
        return slim.dropout(
            net, dropout_keep_prob, is_training=is_training, scope=scope
        )

    net = end_points[f"{root}/fc6"] = slim.conv2d(
        net, fc6_depth, fc6_kernel, padding=fc6_padding, scope="fc6"
    )
    net = dropout(net, "dropout6")
    net = end_points[f"{root}/fc7"] = slim.conv2d(net, 4096, [1, 1], scope="fc7")
    if global_pool:
        net = tf.reduce_mean(net, [1, 2], keepdims=True, name="global_pool")
        end_points["global_pool"] = net
    if not num_classes:
        return net
    net = dropout(net, "dropout7")
    net = slim.conv2d(
        net,
        num_classes,
        [1, 1],
        activation_fn=None,
        normalizer_fn=None,
        biases_initializer=tf.compat.v1.zeros_initializer(),
        scope="fc8",
    )
    if spatial_squeeze:
        net = tf.squeeze(net, [1, 2], name="fc8/squeezed")
    end_points[f"{root}/fc8"] = net
    return net
