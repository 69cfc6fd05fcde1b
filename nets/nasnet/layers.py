"""What NASNet and PNASNet consist of: layers, their defaults, where they halve.

Zoph et al., "Learning Transferable Architectures for Scalable Image Recognition",
https://arxiv.org/abs/1707.07012, section 3 and appendix A.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from nets import slim

Activation = Callable[[tf.Tensor], tf.Tensor]

DATA_FORMAT_NHWC = "NHWC"
DATA_FORMAT_NCHW = "NCHW"


def calc_reduction_layers(num_cells: int, num_reduction_layers: int) -> list[int]:
    """Indices of the cells before which height and width are halved: evenly spaced."""
    parts = num_reduction_layers + 1
    return [num_cells * part // parts for part in range(1, parts)]


def arg_scope(
    weight_decay: float, batch_norm_decay: float, batch_norm_epsilon: float
) -> dict[str, Any]:
    """The default layer arguments of every net here, as an arg scope."""
    convolutions = [slim.conv2d, slim.separable_conv2d]
    with (
        slim.arg_scope(
            [*convolutions, slim.fully_connected],
            weights_regularizer=slim.l2_regularizer(weight_decay),
            weights_initializer=slim.variance_scaling_initializer(mode="FAN_OUT"),
            activation_fn=None,
        ),
        slim.arg_scope([slim.fully_connected], scope="FC"),
        slim.arg_scope(convolutions, biases_initializer=None),
        slim.arg_scope(
            [slim.batch_norm],
            decay=batch_norm_decay,
            epsilon=batch_norm_epsilon,
            scale=True,
        ) as scope,
    ):
        return scope


@slim.add_arg_scope
def get_channel_index(data_format: str = DATA_FORMAT_NHWC) -> int:
    """The axis of the channels.

    Raises:
      ValueError: `data_format` is neither "NHWC" nor "NCHW".
    """
    if data_format not in (DATA_FORMAT_NHWC, DATA_FORMAT_NCHW):
        raise ValueError(f"data_format is {data_format}; expected NHWC or NCHW.")
    return data_format.index("C")


@slim.add_arg_scope
def get_channel_dim(shape: Sequence[int], data_format: str = DATA_FORMAT_NHWC) -> int:
    """The number of channels in a shape of rank 4."""
    return int(shape[get_channel_index(data_format=data_format)])


@slim.add_arg_scope
def global_avg_pool(x: tf.Tensor, data_format: str = DATA_FORMAT_NHWC) -> tf.Tensor:
    """`[batch, channels]` means over height and width."""
    return tf.reduce_mean(x, [1, 2] if data_format == DATA_FORMAT_NHWC else [2, 3])


@slim.add_arg_scope
def factorized_reduction(
    net: tf.Tensor,
    output_filters: int,
    stride: int,
    data_format: str = DATA_FORMAT_NHWC,
) -> tf.Tensor:
    """Halves height and width by two 1x1 convolutions, one on the skipped pixels.

    Args:
      net: a tensor of rank 4, its axes as in `data_format`.
      output_filters: output channels.
      stride: 2; or 1 for a plain 1x1 convolution, which halves nothing.
      data_format: "NHWC" or "NCHW".
    """
    if stride == 1:
        net = slim.conv2d(net, output_filters, 1, scope="path_conv")
        return slim.batch_norm(net, scope="path_bn")
    first = slim.avg_pool2d(net, 1, stride=stride, padding="VALID")
    first = slim.conv2d(first, output_filters // 2, 1, scope="path1_conv")
    # The second path is the first one on an image shifted by a pixel.
    axes = (1, 2) if data_format == DATA_FORMAT_NHWC else (2, 3)
    padding = [[0, int(axis in axes)] for axis in range(4)]
    moved = [slice(int(axis in axes), None) for axis in range(4)]
    second = slim.avg_pool2d(
        tf.pad(net, padding)[tuple(moved)], 1, stride=stride, padding="VALID"
    )
    rest = output_filters - output_filters // 2
    second = slim.conv2d(second, rest, 1, scope="path2_conv")
    net = tf.concat([first, second], axis=get_channel_index())
    return slim.batch_norm(net, scope="final_path_bn")


def scheduled_keep_prob(
    keep_prob: float, layer_ratio: float, step_ratio: float | tf.Tensor
) -> float | tf.Tensor:
    """The keep probability of drop path, which falls with depth and with training.

    Args:
      keep_prob: keep probability of the last cell at the end of training.
      layer_ratio: depth of the cell, in (0, 1].
      step_ratio: progress of training, in [0, 1].
    """
    return 1 - step_ratio * layer_ratio * (1 - keep_prob)


def training_progress(
    total_training_steps: int, current_step: tf.Tensor | None = None
) -> float | tf.Tensor:
    """The progress of training, in [0, 1].

    Args:
      total_training_steps: number of steps at which it reaches 1.
      current_step: scalar. None is the graph's global step or, in a `tf.function`,
        which has none, the end of training.
    """
    if current_step is None:
        if tf.compat.v1.get_default_graph().building_function:
            return 1.0
        current_step = tf.compat.v1.train.get_or_create_global_step()
    done = tf.cast(current_step, tf.float32) / total_training_steps
    return tf.minimum(done, 1.0)


def aux_logits(net: tf.Tensor, num_classes: int, activation: Activation) -> tf.Tensor:
    """A second classifier, on the output of an inner cell."""
    with tf.compat.v1.variable_scope("aux_logits"):
        net = slim.avg_pool2d(activation(net), 5, stride=3, padding="VALID")
        net = slim.conv2d(net, 128, 1, scope="proj")
        net = activation(slim.batch_norm(net, scope="aux_bn0"))
        _, *sides = net.shape.as_list()
        del sides[get_channel_index() - 1]
        net = slim.conv2d(net, 768, sides, padding="VALID")
        net = activation(slim.batch_norm(net, scope="aux_bn1"))
        return slim.fully_connected(slim.flatten(net), num_classes)
