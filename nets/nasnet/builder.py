"""Builds NASNet and PNASNet from a configuration and a plan of their cells."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from nets import slim
from nets.nasnet import nasnet_utils


@dataclasses.dataclass
class Config:
    """What distinguishes the networks of a family.

    Attributes:
      num_cells: cells without stem and reduction cells.
      num_conv_filters: channels of a state in the first of them.
      stem_multiplier: factor of the channels of the stem's convolution.
      dense_dropout_keep_prob: share of features kept before the logits in training.
      drop_path_keep_prob: see `nasnet_utils.scheduled_keep_prob`; 1 is no drop path.
      total_training_steps: steps until drop path is at its full strength.
      filter_scaling_rate: factor of the channels where height and width are halved.
      num_reduction_layers: how often they are, after the stem.
      skip_reduction_layer_input: a cell after a reduction cell takes its second input
        not from the cell before the reduction but from the one before that.
      use_aux_head: whether there is an auxiliary head in training.
      data_format: "NHWC", or "NCHW" for the inner tensors; images are always NHWC.
      use_bounded_activation: relu6 in place of relu.
    """

    num_cells: int
    num_conv_filters: int
    stem_multiplier: float
    dense_dropout_keep_prob: float
    drop_path_keep_prob: float
    total_training_steps: int
    filter_scaling_rate: float = 2.0
    num_reduction_layers: int = 2
    skip_reduction_layer_input: bool = False
    use_aux_head: bool = True
    data_format: str = "NHWC"
    use_bounded_activation: bool = False

    def set_hparam(self, name: str, value: Any) -> None:
        """Sets an attribute.

        Raises:
          ValueError: there is no attribute of this name.
        """
        if name not in {field.name for field in dataclasses.fields(self)}:
            raise ValueError(f"{name} is not an attribute of {type(self).__name__}.")
        setattr(self, name, value)


class Stem(NamedTuple):
    """The first convolution, 3x3, and its batch norm.

    Attributes:
      conv_scope: variable scope of the convolution.
      batch_norm_scope: variable scope of the batch norm.
      stride: of the convolution.
      padding: of the convolution.
      end_point: the name of its output; None: it is no end point.
      aux_scope: there is no auxiliary head here.
    """

    conv_scope: str
    batch_norm_scope: str
    stride: int
    padding: str
    end_point: str | None
    aux_scope: None = None


class PlannedCell(NamedTuple):
    """A cell in its place in the network.

    Attributes:
      scope: its variable scope.
      end_point: the name of its output; None: it is no end point.
      cell: its table.
      filters: channels of each of its states.
      stride: of the operations on its inputs.
      prev: which output before is its second input: -2 is the last but one.
      aux_scope: variable scope of the auxiliary head on its output; None: none.
    """

    scope: str
    end_point: str | None
    cell: nasnet_utils.Cell
    filters: int
    stride: int
    prev: int = -2
    aux_scope: str | None = None


IMAGENET_STEM = Stem("conv0", "conv0_bn", stride=2, padding="VALID", end_point=None)


def stem_cells(config: Config, cell: nasnet_utils.Cell) -> list[PlannedCell]:
    """Two cells that halve height and width before the first of `num_cells`."""
    first, second = (
        int(config.num_conv_filters / config.filter_scaling_rate**exponent)
        for exponent in (2, 1)
    )
    return [
        PlannedCell("cell_stem_0", None, cell, first, stride=2),
        PlannedCell("cell_stem_1", "Stem", cell, second, stride=2),
    ]


def aux_scope(number: int, halved_at: Sequence[int]) -> str | None:
    """Where the auxiliary head is: on the last cell before the second halving."""
    return f"aux_{number}" if number + 1 in halved_at[1:2] else None


def arg_scope(
    weight_decay: float, batch_norm_decay: float, batch_norm_epsilon: float
) -> dict[str, Any]:
    """The layer defaults of all networks of this package, for `slim.arg_scope`."""
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


def build(
    images: tf.Tensor,
    num_classes: int | None,
    is_training: bool,
    *,
    config: Config,
    stem: Stem,
    plan: Sequence[PlannedCell],
    final_endpoint: str | None = None,
    current_step: tf.Tensor | None = None,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Builds a network.

    Args:
      images: `[batch, height, width, channels]` float32; only batch may be unknown.
      num_classes: None or 0 gives the pooled features in place of logits.
      is_training: batch norm, dropout and drop path in training or inference mode; in
        training there is an auxiliary head.
      config: its options.
      stem: what comes before the first cell.
      plan: its cells.
      final_endpoint: stop at the cell with this end point; None: at the predictions.
      current_step: scalar, the training step that drop path depends on. None: the
        graph's global step; in a `tf.function` there is none, and drop path is at its
        full strength.

    Returns:
      `[batch, num_classes]` logits (or features, or the final cell's output), and all
      end points by name.

    Raises:
      ValueError: a side of the images is unknown, or no cell has the name
        `final_endpoint`.
    """
    if not images.shape[1:].is_fully_defined():
        raise ValueError(f"Images of shape {images.shape}: only batch may be unknown.")
    activation = tf.nn.relu6 if config.use_bounded_activation else tf.nn.relu
    drops_path = is_training and config.drop_path_keep_prob < 1
    step_ratio = _step_ratio(config, current_step) if drops_path else 0.0
    aux_classes = num_classes if is_training and config.use_aux_head else None
    end_points: dict[str, tf.Tensor] = {}
    with _layer_modes(config, is_training):
        outputs = _outputs(images, config, stem, plan, activation, step_ratio)
        for place, net in outputs:
            if place.end_point:
                end_points[place.end_point] = net
                if place.end_point == final_endpoint:
                    return net, end_points
            if aux_classes and place.aux_scope:
                with tf.compat.v1.variable_scope(place.aux_scope):
                    end_points["AuxLogits"] = nasnet_utils.aux_logits(
                        net, aux_classes, activation
                    )
        if final_endpoint is not None:
            raise ValueError(
                f"final_endpoint is {final_endpoint}; it must be one of"
                f" {', '.join(end_points)}."
            )
        net = _head(activation(net), num_classes, config, end_points)
    return net, end_points


def _step_ratio(config: Config, current_step: tf.Tensor | None) -> float | tf.Tensor:
    """How far the training is, in [0, 1]."""
    if current_step is None:
        if tf.compat.v1.get_default_graph().building_function:
            return 1.0
        current_step = tf.compat.v1.train.get_or_create_global_step()
    done = tf.cast(current_step, tf.float32) / config.total_training_steps
    return tf.minimum(done, 1.0)


@contextlib.contextmanager
def _layer_modes(config: Config, is_training: bool) -> Iterator[None]:
    with (
        slim.arg_scope(
            [slim.dropout, slim.batch_norm, nasnet_utils.drop_path],
            is_training=is_training,
        ),
        slim.arg_scope(
            [
                slim.avg_pool2d,
                slim.batch_norm,
                slim.conv2d,
                slim.max_pool2d,
                slim.separable_conv2d,
                nasnet_utils.factorized_reduction,
                nasnet_utils.get_channel_dim,
                nasnet_utils.get_channel_index,
                nasnet_utils.global_avg_pool,
            ],
            data_format=config.data_format,
        ),
    ):
        yield


def _outputs(
    images: tf.Tensor,
    config: Config,
    stem: Stem,
    plan: Sequence[PlannedCell],
    activation: nasnet_utils.Activation,
    step_ratio: float | tf.Tensor,
) -> Iterator[tuple[Stem | PlannedCell, tf.Tensor]]:
    """The outputs of the stem and of the cells, as they are built."""
    if config.data_format == "NCHW":
        images = tf.transpose(images, [0, 3, 1, 2])
    net = slim.conv2d(
        images,
        int(32 * config.stem_multiplier),
        3,
        stride=stem.stride,
        padding=stem.padding,
        scope=stem.conv_scope,
    )
    net = slim.batch_norm(net, scope=stem.batch_norm_scope)
    outputs = [None, net]
    yield stem, net
    for number, planned in enumerate(plan, 1):
        net = nasnet_utils.build_cell(
            planned.cell,
            net,
            outputs[planned.prev],
            scope=planned.scope,
            filters=planned.filters,
            stride=planned.stride,
            activation=activation,
            keep_prob=nasnet_utils.scheduled_keep_prob(
                config.drop_path_keep_prob, number / len(plan), step_ratio
            ),
        )
        outputs.append(net)
        yield planned, net


def _head(
    net: tf.Tensor,
    num_classes: int | None,
    config: Config,
    end_points: dict[str, tf.Tensor],
) -> tf.Tensor:
    """Pools and, if there are classes, classifies."""
    with tf.compat.v1.variable_scope("final_layer"):
        end_points["global_pool"] = net = nasnet_utils.global_avg_pool(net)
        if num_classes:
            net = slim.dropout(net, config.dense_dropout_keep_prob, scope="dropout")
            end_points["Logits"] = net = slim.fully_connected(net, num_classes)
            end_points["Predictions"] = tf.nn.softmax(net, name="predictions")
    return net
