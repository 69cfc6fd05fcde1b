"""The end points of a net as rows: operation, output size, parameters, arithmetic."""

import dataclasses
import itertools
import math
from collections.abc import Sequence

import tensorflow as tf

from errors import UserError
from nets import graph_walk, nets_factory
from nets.network import builder_options, short_reason
from nets.new_head import NewHead

_CONVOLUTIONS = {"Conv2D": "conv", "DepthwiseConv2dNative": "depthwise"}
_POOLS = {"MaxPool": "max pool", "AvgPool": "average pool"}
_OTHERS = {
    "BatchMatMulV2": "attention",
    "MatMul": "fully connected",
    "Mean": "global average",
    "AddV2": "add",
    "ConcatV2": "concat",
    "LRN": "normalization",
    "Relu": "relu",
    "Relu6": "relu6",
    "Softmax": "softmax",
}
_STATISTICS = ("moving_mean", "moving_variance")


@dataclasses.dataclass(frozen=True)
class NetLayer:
    """An end point, with what is computed between it and the end points before.

    Attributes:
      end_point: its name.
      operation: what computes it, as in "conv 3x3/2".
      shape: the shape of its output, without the batch.
      num_parameters: values in the variables that it reads first.
      multiply_adds: the multiply-adds of convolutions and matrix products, for one
        image.
      parents: places of the end points that it is computed from; -1 is the image.
      is_auxiliary: the logits do not read it.
    """

    end_point: str
    operation: str
    shape: tuple[int, ...]
    num_parameters: int
    multiply_adds: int
    parents: tuple[int, ...]
    is_auxiliary: bool


@dataclasses.dataclass(frozen=True)
class NetLayers:
    """The layers of a net in the order of computation, auxiliary ones last.

    Attributes:
      layers: a row for each end point.
      num_statistics: how many parameters are moving statistics of batch norms.
    """

    layers: Sequence[NetLayer]
    num_statistics: int


def find(
    model_name: str, head: NewHead, *, num_classes: int, image_size: int, channels: int
) -> NetLayers:
    """The layers of a net in inference; no variable is made.

    Raises:
      UserError: there is no such net, or it cannot be built with these options.
    """
    # Without weight decay each layer would say that it is not regularized.
    network_fn = nets_factory.get_network_fn(model_name, num_classes, 1.0, head=head)
    with tf.Graph().as_default() as graph:
        images = tf.compat.v1.placeholder(
            tf.float32, (1, image_size, image_size, channels)
        )
        logits, end_points = _built(network_fn, images, model_name)
    of_logits = graph_walk.upstream({logits.op})
    main = of_logits | graph_walk.downstream(graph, {logits.op})
    place = {op: i for i, op in enumerate(graph.get_operations())}
    names: dict[tf.Operation, str] = {}
    for name, tensor in end_points.items():
        names.setdefault(tensor.op, name)
    ordered = sorted(names, key=lambda op: (op not in main, place[op]))
    counted: set[tf.Operation] = set()
    layers = []
    for op in ordered:
        new = graph_walk.upstream({op}) - counted
        counted |= new
        layers.append(
            NetLayer(
                names[op],
                _operation(sorted(new, key=lambda one: place[one])),
                tuple(end_points[names[op]].shape[1:]),
                sum(map(_size, new)),
                round(sum(map(graph_walk.flops, new)) / 2),
                _parents(op, ordered, images.op),
                op not in main,
            )
        )
    statistics = [op for op in of_logits if op.name.endswith(_STATISTICS)]
    return NetLayers(layers, sum(map(_size, statistics)))


def _built(
    network_fn: nets_factory.NetworkFn, images: tf.Tensor, model_name: str
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The logits and end points.

    Raises:
      UserError: the net cannot be built for such images.
    """
    entry, size = nets_factory.get_entry(model_name), images.shape[1]
    try:
        return network_fn(images, **builder_options(entry, size))
    except UserError:
        raise
    except ValueError as error:
        raise UserError(
            f"{model_name} cannot be built for images of {size}x{size} pixels:"
            f" {short_reason(error)}; its default size is {entry.image_size}"
        ) from error


def _size(op: tf.Operation) -> int:
    """Number of values of a variable."""
    if op.type != "VarHandleOp":
        return 0
    return math.prod(dim.size for dim in op.get_attr("shape").dim)


def _operation(new: Sequence[tf.Operation]) -> str:
    """What computes an end point from those before it, in the order of building."""
    convolutions = [op for op in new if op.type in _CONVOLUTIONS]
    if len(convolutions) > 1:
        return f"{len(convolutions)} convolutions"
    if convolutions:
        return f"{_CONVOLUTIONS[convolutions[0].type]} {_window(convolutions[0])}"
    for kind, word in (_POOLS | _OTHERS).items():
        if found := [op for op in new if op.type == kind]:
            if kind == "Mean" and _is_over_channels(found[0]):
                return "layer norm"
            return f"{word} {_window(found[0])}" if kind in _POOLS else word
    return "reshape"


def _is_over_channels(mean: tf.Operation) -> bool:
    axes = tf.get_static_value(mean.inputs[1])
    return -1 in axes or len(mean.inputs[0].shape) - 1 in axes


def _window(op: tf.Operation) -> str:
    """The kernel of a convolution or pool and its stride, as in "3x3/2"."""
    kernel = op.inputs[1].shape[:2] if len(op.inputs) > 1 else op.get_attr("ksize")[1:3]
    stride = op.get_attr("strides")[1]
    return f"{kernel[0]}x{kernel[1]}" + (f"/{stride}" if stride > 1 else "")


def _parents(
    op: tf.Operation, ordered: Sequence[tf.Operation], image: tf.Operation
) -> tuple[int, ...]:
    """Places of the nearest end points upstream, -1 for the image."""
    places = {other: i for i, other in enumerate(ordered)} | {image: -1}
    found, seen, waiting = set(), {op}, [op]
    while waiting:
        for source in {tensor.op for tensor in waiting.pop().inputs} - seen:
            seen.add(source)
            if source in places:
                found.add(places[source])
            else:
                waiting.append(source)
    return tuple(sorted(found))


def size_text(shape: Sequence[int]) -> str:
    """A shape as "112x112x64"; maps of one pixel by their channels alone."""
    sizes = list(itertools.dropwhile(lambda side: side == 1, shape)) or [1]
    return "x".join(map(str, sizes))
