"""Builds NASNet and PNASNet from a configuration and a plan of their cells."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from nets import slim
from nets.drop_path import drop_path
from nets.end_points import EndPoints
from nets.nasnet import layers, nasnet_utils


@dataclasses.dataclass
class Config:
    """What distinguishes the nets of a family.

    Attributes:
      num_cells: number of cells besides stem and reduction cells.
      num_conv_filters: channels of a state in the first of them.
      stem_multiplier: factor for the channels of the stem's convolution.
      dense_dropout_keep_prob: fraction of features kept before the logits in training.
      drop_path_keep_prob: see `layers.scheduled_keep_prob`; 1 turns drop path off.
      total_training_steps: number of steps until drop path reaches its full strength.
      filter_scaling_rate: factor for the channels where height and width are halved.
      num_reduction_layers: how often they are halved after the stem.
      skip_reduction_layer_input: the second input of a cell after a reduction cell is
        not the cell before the reduction, but the one before that.
      use_aux_head: whether to build an auxiliary head in training.
      data_format: "NHWC", or "NCHW" for the inner tensors; images are always NHWC.
      use_bounded_activation: relu6 instead of relu.
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
    data_format: str = layers.DATA_FORMAT_NHWC
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
      filters: output channels.
      stride: stride of the convolution.
      padding: padding of the convolution.
      end_point: name of its output; None if it is not an end point.
      aux_scope: None: the stem has no auxiliary head.
    """

    conv_scope: str
    batch_norm_scope: str
    filters: int
    stride: int
    padding: str
    end_point: str | None
    aux_scope: None = None


class PlannedCell(NamedTuple):
    """A cell in its place in the network.

    Attributes:
      scope: its variable scope.
      end_point: name of its output; None if it is not an end point.
      cell: what builds it.
      filter_scaling: factor for its channels.
      stride: stride of the operations on its inputs.
      prev: index of its second input among the outputs before it; -2 is the last but
        one.
      aux_scope: variable scope of the auxiliary head on its output, if any.
    """

    scope: str
    end_point: str | None
    cell: nasnet_utils.NasNetABaseCell
    filter_scaling: float
    stride: int
    prev: int = -2
    aux_scope: str | None = None


def make_cell(
    cell: type[nasnet_utils.FoundCell],
    config: Config,
    total_num_cells: int,
    is_training: bool,
) -> nasnet_utils.FoundCell:
    """A cell for a net of `total_num_cells`, with drop path in training only."""
    return cell(
        config.num_conv_filters,
        config.drop_path_keep_prob if is_training else 1.0,
        total_num_cells,
        config.total_training_steps,
        config.use_bounded_activation,
    )


def imagenet_stem(config: Config) -> Stem:
    """The stem for images of ImageNet's size; `STEM_CELLS` cells follow."""
    return Stem(
        "conv0",
        "conv0_bn",
        filters=int(32 * config.stem_multiplier),
        stride=2,
        padding="VALID",
        end_point=None,
    )


STEM_CELLS = 2


def stem_cells(config: Config, cell: nasnet_utils.NasNetABaseCell) -> list[PlannedCell]:
    """The cells that halve height and width before the first of `num_cells`."""
    first, second = (config.filter_scaling_rate**exponent for exponent in (-2, -1))
    return [
        PlannedCell("cell_stem_0", None, cell, first, stride=2),
        PlannedCell("cell_stem_1", "Stem", cell, second, stride=2),
    ]


def aux_scope(number: int, halved_at: Sequence[int]) -> str | None:
    """Scope of the auxiliary head, on the last cell before the second halving."""
    return f"aux_{number}" if number + 1 in halved_at[1:2] else None


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
    """Builds a net.

    Args:
      images: `[batch, height, width, channels]` float32; only `batch` may be unknown.
      num_classes: number of logits; None or 0 returns the pooled features instead.
      is_training: whether batch norm, dropout and drop path run in training mode, with
        an auxiliary head.
      config: its options.
      stem: what comes before the first cell.
      plan: its cells.
      final_endpoint: stop at this end point and return it; None builds all.
      current_step: the training step that drop path depends on; see
        `layers.training_progress`.

    Returns:
      The logits `[batch, num_classes]` (or features, or the final end point), and all
      end points by name.

    Raises:
      ValueError: height, width or channels of the images are unknown, or no end point
        is named `final_endpoint`.
    """
    if not images.shape[1:].is_fully_defined():
        raise ValueError(
            f"images have shape {images.shape}; only batch may be unknown."
        )
    activation = tf.nn.relu6 if config.use_bounded_activation else tf.nn.relu
    aux_classes = num_classes if is_training and config.use_aux_head else None
    end_points = EndPoints()
    with _layer_modes(config, is_training):
        for place, net in _outputs(images, config, stem, plan, current_step):
            if place.end_point:
                end_points[place.end_point] = net
                if place.end_point == final_endpoint:
                    return net, end_points
            if aux_classes and place.aux_scope:
                with tf.compat.v1.variable_scope(place.aux_scope):
                    end_points["AuxLogits"] = layers.aux_logits(
                        net, aux_classes, activation
                    )
        if final_endpoint == "global_pool":
            num_classes = None
        net = _head(activation(net), num_classes, config, end_points)
    if final_endpoint is None:
        return net, end_points
    if final_endpoint not in end_points:
        raise ValueError(
            f"final_endpoint is {final_endpoint}; it must be one of"
            f" {', '.join(end_points)}."
        )
    return end_points[final_endpoint], end_points


@contextlib.contextmanager
def _layer_modes(config: Config, is_training: bool) -> Iterator[None]:
    with (
        slim.arg_scope(
            [slim.dropout, slim.batch_norm, drop_path],
            is_training=is_training,
        ),
        slim.arg_scope(
            [
                slim.avg_pool2d,
                slim.batch_norm,
                slim.conv2d,
                slim.max_pool2d,
                slim.separable_conv2d,
                layers.factorized_reduction,
                layers.get_channel_dim,
                layers.get_channel_index,
                layers.global_avg_pool,
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
    current_step: tf.Tensor | None,
) -> Iterator[tuple[Stem | PlannedCell, tf.Tensor]]:
    """Builds the stem and the cells one by one, yielding their outputs."""
    if config.data_format == layers.DATA_FORMAT_NCHW:
        images = tf.transpose(images, [0, 3, 1, 2])
    net = slim.conv2d(
        images,
        stem.filters,
        3,
        stride=stem.stride,
        padding=stem.padding,
        scope=stem.conv_scope,
    )
    net = slim.batch_norm(net, scope=stem.batch_norm_scope)
    outputs = [None, net]
    yield stem, net
    for number, planned in enumerate(plan):
        net = planned.cell(
            net,
            scope=planned.scope,
            filter_scaling=planned.filter_scaling,
            stride=planned.stride,
            prev_layer=outputs[planned.prev],
            cell_num=number,
            current_step=current_step,
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
        end_points["global_pool"] = net = layers.global_avg_pool(net)
        if num_classes:
            net = slim.dropout(net, config.dense_dropout_keep_prob, scope="dropout")
            end_points["Logits"] = net = slim.fully_connected(net, num_classes)
            end_points["Predictions"] = tf.nn.softmax(net, name="predictions")
    return net
