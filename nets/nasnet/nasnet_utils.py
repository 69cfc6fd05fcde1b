"""The cells of NASNet-A, and the base class of all cells.

Zoph et al., "Learning Transferable Architectures for Scalable Image Recognition",
https://arxiv.org/abs/1707.07012: section 3 (how a cell is built), figure 4 (the cells
found).
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from nets import slim
from nets.drop_path import drop_path as drop_path
from nets.nasnet import layers

DATA_FORMAT_NCHW = layers.DATA_FORMAT_NCHW
DATA_FORMAT_NHWC = layers.DATA_FORMAT_NHWC
calc_reduction_layers = layers.calc_reduction_layers
factorized_reduction = layers.factorized_reduction
get_channel_dim = layers.get_channel_dim
get_channel_index = layers.get_channel_index
global_avg_pool = layers.global_avg_pool


class Operation(NamedTuple):
    """An operation on a state.

    Attributes:
      kind: "separable", "max_pool", "avg_pool" or "none".
      kernel: height and width of the kernel.
      repeats: number of separable convolutions.
    """

    kind: str
    kernel: int = 1
    repeats: int = 1

    @classmethod
    def parse(cls, name: str) -> "Operation":
        """The operation of a name such as `separable_5x5_2`, `max_pool_3x3` or `none`.

        Raises:
          ValueError: no operation has this name.
        """
        if name == "none":
            return cls(name)
        match = re.fullmatch(r"(separable|max_pool|avg_pool)_(\d)x\2(?:_(\d))?", name)
        if match is None:
            raise ValueError(
                f"Unimplemented operation {name}; expected none, or one such as"
                " separable_5x5_2, max_pool_3x3 or avg_pool_3x3."
            )
        return cls(match[1], int(match[2]), int(match[3] or 1))


class NasNetABaseCell:
    """A cell, which computes its output from those of the two cells before it.

    It brings both to its own size and depth, as states 0 and 1, and then adds states,
    each the sum of two operations on earlier ones.
    """

    def __init__(
        self,
        num_conv_filters: int,
        operations: Sequence[str],
        used_hiddenstates: Sequence[int],
        hiddenstate_indices: Sequence[int],
        drop_path_keep_prob: float,
        total_num_cells: int,
        total_training_steps: int,
        use_bounded_activation: bool = False,
    ) -> None:
        """Stores the table of the cell.

        Args:
          num_conv_filters: channels of a state if `filter_scaling` is 1.
          operations: their names (see `Operation.parse`), two per added state.
          used_hiddenstates: for each state from 0, whether to omit it from the output.
          hiddenstate_indices: for each operation, the state it applies to.
          drop_path_keep_prob: see `layers.scheduled_keep_prob`; 1 turns drop path off.
          total_num_cells: number of cells of the net.
          total_training_steps: number of steps until drop path reaches its full
            strength.
          use_bounded_activation: relu6 instead of relu.

        Raises:
          ValueError: an operation is unknown, or the lengths of the lists disagree.
        """
        if (
            not len(operations)
            == len(hiddenstate_indices)
            == 2 * (len(used_hiddenstates) - 2)
        ):
            raise ValueError(
                f"{len(operations)} operations on {len(hiddenstate_indices)} states do"
                f" not make {len(used_hiddenstates)} states of two."
            )
        steps = [
            (Operation.parse(name), state)
            for name, state in zip(operations, hiddenstate_indices, strict=True)
        ]
        self._pairs = list(zip(steps[::2], steps[1::2], strict=True))
        self._outputs = [i for i, used in enumerate(used_hiddenstates) if not used]
        self._num_conv_filters = num_conv_filters
        self._drop_path_keep_prob = drop_path_keep_prob
        self._total_num_cells = total_num_cells
        self._total_training_steps = total_training_steps
        self._activation = tf.nn.relu6 if use_bounded_activation else tf.nn.relu

    def __call__(
        self,
        net: tf.Tensor,
        scope: str | None = None,
        filter_scaling: float = 1,
        stride: int = 1,
        prev_layer: tf.Tensor | None = None,
        cell_num: int = -1,
        current_step: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Builds the cell.

        Args:
          net: output of the previous cell, of rank 4.
          scope: variable scope; "cell", made unique, by default.
          filter_scaling: factor for the channels.
          stride: stride of the operations on states 0 and 1.
          prev_layer: output of the cell before that one, of the same or twice the size;
            None if there is none, in which case `net` takes its place.
          cell_num: index of the cell in the net, from 0, on which drop path depends.
          current_step: see `layers.training_progress`.

        Returns:
          The states that are not omitted, concatenated.
        """
        filters = int(self._num_conv_filters * filter_scaling)
        keep_prob = self._keep_prob(cell_num, current_step)
        with tf.compat.v1.variable_scope(scope, "cell"):
            prev = net if prev_layer is None else self._fit(prev_layer, net, filters)
            net = slim.conv2d(self._activation(net), filters, 1, scope="1x1")
            states = [slim.batch_norm(net, scope="beginning_bn"), prev]
            for i, pair in enumerate(self._pairs):
                with tf.compat.v1.variable_scope(f"comb_iter_{i}"):
                    results = []
                    for side, (operation, state) in zip(
                        ("left", "right"), pair, strict=True
                    ):
                        with tf.compat.v1.variable_scope(side):
                            result = self._apply(
                                operation,
                                states[state],
                                filters,
                                stride if state < 2 else 1,
                            )
                            if operation.kind != "none":
                                result = drop_path(result, keep_prob)
                            results.append(result)
                    states.append(tf.add(*results))
            with tf.compat.v1.variable_scope("cell_output"):
                return _concatenated(states, self._outputs)

    def _keep_prob(
        self, cell_num: int, current_step: tf.Tensor | None
    ) -> float | tf.Tensor:
        if self._drop_path_keep_prob == 1:
            return 1.0
        if not 0 <= cell_num < self._total_num_cells:
            raise ValueError(
                f"cell_num is {cell_num}; drop path needs the index of the cell, from"
                f" 0 to {self._total_num_cells - 1}."
            )
        return layers.scheduled_keep_prob(
            self._drop_path_keep_prob,
            (cell_num + 1) / self._total_num_cells,
            layers.training_progress(self._total_training_steps, current_step),
        )

    def _fit(self, prev: tf.Tensor, net: tf.Tensor, filters: int) -> tf.Tensor:
        """`prev` with `filters` channels, in the size of `net`."""
        if prev.shape[2] != net.shape[2]:
            return factorized_reduction(self._activation(prev), filters, 2)
        if get_channel_dim(prev.shape.as_list()) != filters:
            prev = slim.conv2d(self._activation(prev), filters, 1, scope="prev_1x1")
            return slim.batch_norm(prev, scope="prev_bn")
        return prev

    def _apply(
        self, operation: Operation, net: tf.Tensor, filters: int, stride: int
    ) -> tf.Tensor:
        if operation.kind == "separable":
            return self._separable(operation, net, filters, stride)
        fits = get_channel_dim(net.shape.as_list()) == filters
        if operation.kind == "none":
            if fits and stride == 1:
                return net
            net = self._activation(net)
            net = slim.conv2d(net, filters, 1, stride=stride, scope="1x1")
            return slim.batch_norm(net, scope="bn_1")
        pool = slim.max_pool2d if operation.kind == "max_pool" else slim.avg_pool2d
        net = pool(net, operation.kernel, stride=stride, padding="SAME")
        if fits:
            return net
        net = slim.conv2d(net, filters, 1, scope="1x1")
        return slim.batch_norm(net, scope="bn_1")

    def _separable(
        self, operation: Operation, net: tf.Tensor, filters: int, stride: int
    ) -> tf.Tensor:
        """A sequence of separable convolutions, the first of which has the stride."""
        for i in range(1, operation.repeats + 1):
            name = f"{operation.kernel}x{operation.kernel}_{i}"
            net = slim.separable_conv2d(
                self._activation(net),
                filters,
                operation.kernel,
                depth_multiplier=1,
                stride=stride if i == 1 else 1,
                scope=f"separable_{name}",
            )
            net = slim.batch_norm(net, scope=f"bn_sep_{name}")
        return net


def _concatenated(states: list[tf.Tensor], outputs: Sequence[int]) -> tf.Tensor:
    """The output states, all brought to the size and depth of the last one."""
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


class FoundCell(NasNetABaseCell):
    """A cell found by search, with a fixed table.

    Attributes:
      PAIRS: for each added state: an operation, its state, the other, and its state.
      USED: see `used_hiddenstates` of `NasNetABaseCell`.
    """

    PAIRS: Sequence[tuple[str, int, str, int]]
    USED: Sequence[int]

    def __init__(
        self,
        num_conv_filters: int,
        drop_path_keep_prob: float,
        total_num_cells: int,
        total_training_steps: int,
        use_bounded_activation: bool = False,
    ) -> None:
        """See `NasNetABaseCell` for the arguments."""
        super().__init__(
            num_conv_filters,
            [name for left, _, right, _ in self.PAIRS for name in (left, right)],
            self.USED,
            [state for _, left, _, right in self.PAIRS for state in (left, right)],
            drop_path_keep_prob,
            total_num_cells,
            total_training_steps,
            use_bounded_activation,
        )


class NasNetANormalCell(FoundCell):
    """The cell of figure 4, left."""

    PAIRS = (
        ("separable_5x5_2", 0, "separable_3x3_2", 1),
        ("separable_5x5_2", 1, "separable_3x3_2", 1),
        ("avg_pool_3x3", 0, "none", 1),
        ("avg_pool_3x3", 1, "avg_pool_3x3", 1),
        ("separable_3x3_2", 0, "none", 0),
    )
    USED = (1, 0, 0, 0, 0, 0, 0)


class NasNetAReductionCell(FoundCell):
    """The cell of figure 4, right."""

    PAIRS = (
        ("separable_5x5_2", 0, "separable_7x7_2", 1),
        ("max_pool_3x3", 0, "separable_7x7_2", 1),
        ("avg_pool_3x3", 0, "separable_5x5_2", 1),
        ("none", 3, "avg_pool_3x3", 2),
        ("separable_3x3_2", 2, "max_pool_3x3", 0),
    )
    USED = (1, 1, 1, 0, 0, 0, 0)
