"""The layers of transformers: layer norm, layer scale, attention, MLP.

Vaswani et al., "Attention Is All You Need", https://arxiv.org/abs/1706.03762.
"""

from typing import Any

import tensorflow as tf

from nets import slim

# Truncated at two standard deviations.
weights_initializer = tf.compat.v1.truncated_normal_initializer(stddev=0.02)


@slim.add_arg_scope
def layer_norm(
    inputs: tf.Tensor, epsilon: float = 1e-6, scope: str = "LayerNorm"
) -> tf.Tensor:
    """Normalizes over the channels of each place, then scales and shifts.

    Ba et al., "Layer Normalization", https://arxiv.org/abs/1607.06450. It keeps no
    statistics, and computes in float32.

    Args:
      inputs: `[..., channels]`.
      epsilon: added to the variance.
      scope: variable scope, of `gamma` and `beta`.
    """
    shape = [inputs.shape[-1]]
    ones, zeros = tf.compat.v1.ones_initializer(), tf.compat.v1.zeros_initializer()
    with tf.compat.v1.variable_scope(scope):
        gamma = slim.model_variable("gamma", shape, initializer=ones)
        beta = slim.model_variable("beta", shape, initializer=zeros)
        net = tf.cast(inputs, tf.float32)
        centered = net - tf.reduce_mean(net, -1, keepdims=True)
        variance = tf.reduce_mean(tf.square(centered), -1, keepdims=True)
        net = centered * tf.math.rsqrt(variance + epsilon) * gamma + beta
        return tf.cast(net, inputs.dtype)


def layer_scale(net: tf.Tensor, initial_value: float) -> tf.Tensor:
    """Scales each channel of a branch, `[..., channels]`, by a trained factor.

    Touvron et al., "Going deeper with Image Transformers",
    https://arxiv.org/abs/2103.17239, section 2.

    Args:
      net: the branch.
      initial_value: the initial value of all factors.
    """
    start = tf.compat.v1.constant_initializer(initial_value)
    with tf.compat.v1.variable_scope("LayerScale"):
        gamma = slim.model_variable(
            "gamma", [net.shape[-1]], dtype=net.dtype, initializer=start
        )
        return net * gamma


def mlp(net: tf.Tensor, expansion: int = 4) -> tf.Tensor:
    """Two dense layers at each place of `[..., channels]`, with GELU in between.

    Args:
      net: the input.
      expansion: hidden units per channel.
    """
    depth = net.shape[-1]
    net = slim.fully_connected(
        net, expansion * depth, activation_fn=gelu, scope="expand"
    )
    return slim.fully_connected(net, depth, activation_fn=None, scope="project")


def gelu(net: tf.Tensor) -> tf.Tensor:
    """Hendrycks and Gimpel, https://arxiv.org/abs/1606.08415, not approximated."""
    return tf.nn.gelu(net, approximate=False)


def attention(net: tf.Tensor, num_heads: int) -> tf.Tensor:
    """Every token takes a mean of all, weighted by how alike they are, in each head.

    Args:
      net: `[batch, tokens, channels]`.
      num_heads: divisor of the channels.
    """
    _, tokens, depth = net.shape
    net = slim.fully_connected(net, 3 * depth, activation_fn=None, scope="qkv")
    net = tf.reshape(net, [-1, tokens, 3, num_heads, depth // num_heads])
    query, key, value = tf.unstack(tf.transpose(net, [2, 0, 3, 1, 4]))
    query *= (depth // num_heads) ** -0.5
    alike = tf.matmul(query, key, transpose_b=True)
    weights = tf.nn.softmax(tf.cast(alike, tf.float32))
    net = tf.matmul(tf.cast(weights, value.dtype), value)
    net = tf.reshape(tf.transpose(net, [0, 2, 1, 3]), [-1, tokens, depth])
    return slim.fully_connected(net, depth, activation_fn=None, scope="project")


def arg_scope(
    weight_decay: float = 0.00004, dropout_keep_prob: float = 1.0
) -> dict[str, Any]:
    """The layer defaults of vision transformers and ConvNeXts.

    Args:
      weight_decay: L2 coefficient of the weights; depthwise ones, embeddings, norms and
        biases have no penalty.
      dropout_keep_prob: share of features kept before the logits in training.

    Returns:
      An arg scope, for `slim.arg_scope`.
    """
    with (
        slim.arg_scope(
            [slim.conv2d, slim.fully_connected],
            weights_initializer=weights_initializer,
            weights_regularizer=slim.l2_regularizer(weight_decay),
        ),
        slim.arg_scope(
            [slim.separable_conv2d],
            weights_initializer=weights_initializer,
            weights_regularizer=None,
        ),
        slim.arg_scope([slim.dropout], keep_prob=dropout_keep_prob) as scope,
    ):
        return scope
