"""The cell of NASNet and PNASNet, and its parts.

Zoph et al., "Learning Transferable Architectures for Scalable Image Recognition",
https://arxiv.org/abs/1707.07012, section 3 and appendix A. A cell takes the outputs of
the two cells before it, brings both to its own size and depth, and makes five more
states, each the sum of two operations on earlier states.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from nets import slim

Activation = Callable[[tf.Tensor], tf.Tensor]


def calc_reduction_layers(num_cells: int, num_reduction_layers: int) -> list[int]:
    """Numbers of the cells before which the image is halved: evenly spread."""
    parts = num_reduction_layers + 1
    return [num_cells * part // parts for part in range(1, parts)]


@slim.add_arg_scope
def get_channel_index(data_format: str = "NHWC") -> int:
    """The axis of the channels."""
    return 3 if data_format == "NHWC" else 1


@slim.add_arg_scope
def get_channel_dim(shape: Sequence[int], data_format: str = "NHWC") -> int:
    """The number of channels in a shape of rank 4."""
    return shape[get_channel_index(data_format=data_format)]


@slim.add_arg_scope
def global_avg_pool(x: tf.Tensor, data_format: str = "NHWC") -> tf.Tensor:
    """`[batch, channels]` means over height and width."""
    return tf.reduce_mean(x, [1, 2] if data_format == "NHWC" else [2, 3])


@slim.add_arg_scope
def factorized_reduction(
    net: tf.Tensor, output_filters: int, stride: int, data_format: str = "NHWC"
) -> tf.Tensor:
    """Halves height and width: two 1x1 convolutions, one on the pixels between.

    Args:
      net: a tensor of rank 4, channels where `data_format` says.
      output_filters: channels of the result.
      stride: 2; or 1, which is a 1x1 convolution and nothing is halved.
      data_format: "NHWC" or "NCHW".
    """
    if stride == 1:
        net = slim.conv2d(net, output_filters, 1, scope="path_conv")
        return slim.batch_norm(net, scope="path_bn")
    first = slim.avg_pool2d(net, 1, stride=stride, padding="VALID")
    first = slim.conv2d(first, output_filters // 2, 1, scope="path1_conv")
    # The second path is the first of the image moved by one pixel down and right.
    axes = (1, 2) if data_format == "NHWC" else (2, 3)
    padding = [[0, int(axis in axes)] for axis in range(4)]
    moved = [slice(int(axis in axes), None) for axis in range(4)]
    second = slim.avg_pool2d(
        tf.pad(net, padding)[tuple(moved)], 1, stride=stride, padding="VALID"
    )
    rest = output_filters - output_filters // 2
    second = slim.conv2d(second, rest, 1, scope="path2_conv")
    net = tf.concat([first, second], axis=get_channel_index())
    return slim.batch_norm(net, scope="final_path_bn")


@slim.add_arg_scope
def drop_path(
    net: tf.Tensor, keep_prob: float | tf.Tensor, is_training: bool = True
) -> tf.Tensor:
    """Drops the whole tensor of an example, with probability 1 - `keep_prob`.

    Larsson et al., "FractalNet", https://arxiv.org/abs/1605.07648. What is kept is
    divided by `keep_prob`; where that is the number 1, nothing is added to the graph.
    """
    if not is_training or (isinstance(keep_prob, float) and keep_prob == 1):
        return net
    noise_shape = [tf.shape(net)[0], 1, 1, 1]
    return slim.dropout(net, keep_prob, noise_shape=noise_shape, scope="drop_path")


def scheduled_keep_prob(
    keep_prob: float, layer_ratio: float, step_ratio: float | tf.Tensor
) -> float | tf.Tensor:
    """Drop path's keep probability, which falls with depth and with training.

    Args:
      keep_prob: of the last cell at the end of training.
      layer_ratio: how deep the cell is, in (0, 1].
      step_ratio: how far the training is, in [0, 1].
    """
    return 1 - step_ratio * layer_ratio * (1 - keep_prob)


class Operation(NamedTuple):
    """One of two operations that make a state.

    Attributes:
      kind: "separable", "max_pool", "avg_pool" or "identity".
      kernel: side of the kernel.
      state: number of the state that it works on; 0 is the output of the cell before,
        1 that of the cell before that one.
    """

    kind: str
    kernel: int
    state: int


class Cell(NamedTuple):
    """A cell as a table.

    Attributes:
      pairs: the operations, pair by pair; pair i makes state i + 2.
      outputs: numbers of the states whose concatenation is the cell's output.
    """

    pairs: tuple[tuple[Operation, Operation], ...]
    outputs: tuple[int, ...]


def build_cell(
    cell: Cell,
    net: tf.Tensor,
    prev: tf.Tensor | None,
    *,
    scope: str,
    filters: int,
    stride: int,
    activation: Activation = tf.nn.relu,
    keep_prob: float | tf.Tensor = 1.0,
) -> tf.Tensor:
    """Builds a cell.

    Args:
      cell: its table.
      net: the output of the cell before, of rank 4.
      prev: the output of the cell before that one, as large or twice as large; None
        where there is none, then `net` takes its place.
      scope: variable scope.
      filters: channels of each state.
      stride: of the operations on the two inputs.
      activation: before every convolution.
      keep_prob: of drop path; the number 1 leaves it out.

    Returns:
      A tensor with `filters` channels for each of `cell.outputs`.
    """
    with tf.compat.v1.variable_scope(scope):
        prev = net if prev is None else _fit(prev, net, filters, activation)
        net = slim.conv2d(activation(net), filters, 1, scope="1x1")
        states = [slim.batch_norm(net, scope="beginning_bn"), prev]
        for i, pair in enumerate(cell.pairs):
            with tf.compat.v1.variable_scope(f"comb_iter_{i}"):
                results = []
                for side, operation in zip(("left", "right"), pair, strict=True):
                    with tf.compat.v1.variable_scope(side):
                        result = _apply(
                            operation,
                            states[operation.state],
                            filters,
                            stride if operation.state < 2 else 1,
                            activation,
                        )
                        if operation.kind != "identity":
                            result = drop_path(result, keep_prob)
                        results.append(result)
                states.append(tf.add(*results))
        with tf.compat.v1.variable_scope("cell_output"):
            return _concatenated(states, cell.outputs)


def _fit(
    prev: tf.Tensor, net: tf.Tensor, filters: int, activation: Activation
) -> tf.Tensor:
    """`prev` with as many channels as `filters`, as large as `net`."""
    if prev.shape[2] != net.shape[2]:
        return factorized_reduction(activation(prev), filters, 2)
    if get_channel_dim(prev.shape.as_list()) != filters:
        prev = slim.conv2d(activation(prev), filters, 1, scope="prev_1x1")
        return slim.batch_norm(prev, scope="prev_bn")
    return prev


def _apply(
    operation: Operation,
    net: tf.Tensor,
    filters: int,
    stride: int,
    activation: Activation,
) -> tf.Tensor:
    if operation.kind == "separable":
        return _twice_separable(net, filters, operation.kernel, stride, activation)
    fits = get_channel_dim(net.shape.as_list()) == filters
    if operation.kind == "identity":
        if fits and stride == 1:
            return net
        net = slim.conv2d(activation(net), filters, 1, stride=stride, scope="1x1")
        return slim.batch_norm(net, scope="bn_1")
    pool = slim.max_pool2d if operation.kind == "max_pool" else slim.avg_pool2d
    net = pool(net, operation.kernel, stride=stride, padding="SAME")
    if fits:
        return net
    net = slim.conv2d(net, filters, 1, scope="1x1")
    return slim.batch_norm(net, scope="bn_1")


def _twice_separable(
    net: tf.Tensor, filters: int, kernel: int, stride: int, activation: Activation
) -> tf.Tensor:
    for i, layer_stride in ((1, stride), (2, 1)):
        name = f"{kernel}x{kernel}_{i}"
        net = slim.separable_conv2d(
            activation(net),
            filters,
            kernel,
            depth_multiplier=1,
            stride=layer_stride,
            scope=f"separable_{name}",
        )
        net = slim.batch_norm(net, scope=f"bn_sep_{name}")
    return net


def _concatenated(states: list[tf.Tensor], outputs: Sequence[int]) -> tf.Tensor:
    """The output states, all brought to the size and the depth of the last one."""
    shape = states[-1].shape.as_list()
    filters = get_channel_dim(shape)
    fitted = []
    for i in outputs:
        net = states[i]
        is_as_large = net.shape.as_list()[2] == shape[2]
        if not is_as_large or get_channel_dim(net.shape.as_list()) != filters:
            with tf.compat.v1.variable_scope(f"reduction_{i}"):
                net = factorized_reduction(net, filters, 1 if is_as_large else 2)
        fitted.append(net)
    return tf.concat(fitted, axis=get_channel_index())


def aux_logits(net: tf.Tensor, num_classes: int, activation: Activation) -> tf.Tensor:
    """A second classifier on the output of an inner cell."""
    with tf.compat.v1.variable_scope("aux_logits"):
        net = slim.avg_pool2d(activation(net), 5, stride=3, padding="VALID")
        net = slim.conv2d(net, 128, 1, scope="proj")
        net = activation(slim.batch_norm(net, scope="aux_bn0"))
        _, *sides = net.shape.as_list()
        del sides[get_channel_index() - 1]
        net = slim.conv2d(net, 768, sides, padding="VALID")
        net = activation(slim.batch_norm(net, scope="aux_bn1"))
        return slim.fully_connected(slim.flatten(net), num_classes)
