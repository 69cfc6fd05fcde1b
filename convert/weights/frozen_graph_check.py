"""Checks of a GraphDef from elsewhere, before TensorFlow runs it.

A graph is a program: operations can read and write files, open sockets and loop
forever. So every operation, used or not and also in functions, must be one that nets
consist of, and nothing may be larger than the file's size allows.
"""

import graphlib
import math
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from common.untrusted_text import printable
from errors import UserError

# Operations without side effects, state, loops or calls, whose inputs' shapes bound
# their outputs. Fill, Range, Tile and the like make large tensors of small ones.
_OPERATIONS = frozenset(
    [
        "Add",
        "AddN",
        "AddV2",
        "AvgPool",
        "BatchNormWithGlobalNormalization",
        "BatchToSpaceND",
        "BiasAdd",
        "Cast",
        "Concat",
        "ConcatV2",
        "Const",
        "Conv2D",
        "DepthwiseConv2dNative",
        "Div",
        "Elu",
        "Equal",
        "Exp",
        "ExpandDims",
        "FakeQuantWithMinMaxArgs",
        "FakeQuantWithMinMaxVars",
        "Floor",
        "FusedBatchNorm",
        "FusedBatchNormV2",
        "FusedBatchNormV3",
        "Greater",
        "GreaterEqual",
        "Identity",
        "IdentityN",
        "LRN",
        "LeakyRelu",
        "Less",
        "LessEqual",
        "Log",
        "LogSoftmax",
        "LogicalAnd",
        "LogicalNot",
        "LogicalOr",
        "MatMul",
        "Max",
        "MaxPool",
        "Maximum",
        "Mean",
        "Merge",
        "Min",
        "Minimum",
        "MirrorPad",
        "Mul",
        "Neg",
        "NoOp",
        "Pack",
        "Pad",
        "PadV2",
        "Placeholder",
        "PlaceholderWithDefault",
        "Pow",
        "Prod",
        "RealDiv",
        "Relu",
        "Relu6",
        "Reshape",
        "ResizeBilinear",
        "ReverseV2",
        "Rsqrt",
        "Select",
        "SelectV2",
        "Selu",
        "Shape",
        "Sigmoid",
        "Slice",
        "Softmax",
        "Softplus",
        "SpaceToBatchND",
        "Split",
        "SplitV",
        "Sqrt",
        "Square",
        "SquaredDifference",
        "Squeeze",
        "StopGradient",
        "StridedSlice",
        "Sub",
        "Sum",
        "Switch",
        "Tanh",
        "Transpose",
        "Unpack",
    ]
)
_MAX_SPARE_BYTES = 64 * 2**20  # that constants may take beyond the file's size
_MAX_FACTOR = 8  # a varint of one byte can encode a value of eight
_MAX_ELEMENTS = 2**28  # of one tensor: a gigabyte of float32


def check(graph: tf.compat.v1.GraphDef) -> None:
    """Refuses a graph that does more than compute a net.

    Args:
      graph: the graph as read.

    Raises:
      UserError: it holds an operation that no net needs, refers to missing nodes or in
        a cycle, or holds a constant that is larger than the file.
    """
    _check_operations(graph.node, "the graph")
    for function in graph.library.function:
        name = printable(function.signature.name)
        _check_operations(function.node_def, f"the graph's function {name}")
    _check_inputs(graph)
    _check_constants(graph)


def part_behind(graph: tf.compat.v1.GraphDef, output: str) -> tf.compat.v1.GraphDef:
    """The nodes that an output depends on, without devices."""
    part = tf.compat.v1.graph_util.extract_sub_graph(graph, [output])
    part.ClearField("library")  # None of the operations calls a function.
    for node in part.node:
        node.ClearField("device")
    return part


def check_sizes(graph: tf.Graph) -> None:
    """Refuses tensors that are too large, or whose size is not known in advance.

    Raises:
      UserError: there is one.
    """
    for operation in graph.get_operations():
        for number, tensor in enumerate(operation.outputs):
            shape, size = tensor.shape, tensor.shape.num_elements()
            if size is None and number and not tensor.consumers():
                continue  # such as what a fused batch norm stores for its gradient
            if size is None or size > _MAX_ELEMENTS:
                raise UserError(
                    f"the graph's {operation.type} {printable(operation.name)} outputs"
                    f" a tensor of shape {shape}, expected a known one of at most"
                    f" {_MAX_ELEMENTS:,} values; the graph was not run"
                )


def _check_operations(nodes: Iterable[tf.compat.v1.NodeDef], where: str) -> None:
    for node in nodes:
        if node.op not in _OPERATIONS:
            raise UserError(
                f"{where} holds the operation {printable(node.op)}"
                f" ({printable(node.name)}), which no net needs; it was not run: give"
                " the frozen graph of the net alone"
            )


def _check_inputs(graph: tf.compat.v1.GraphDef) -> None:
    names = {node.name for node in graph.node}
    if len(names) < len(graph.node):
        raise UserError("the graph has two nodes of the same name: it is damaged")
    inputs = {node.name: set(map(node_name, node.input)) for node in graph.node}
    for name, sources in inputs.items():
        if unknown := sources - names:
            raise UserError(
                f"the graph's node {printable(name)} reads {printable(min(unknown))},"
                " which does not exist: the graph is damaged"
            )
    try:
        graphlib.TopologicalSorter(inputs).prepare()
    except graphlib.CycleError as error:
        raise UserError(
            f"the graph's node {printable(error.args[1][0])} reads its own output, by"
            " way of others: a net has no loops"
        ) from error


def _check_constants(graph: tf.compat.v1.GraphDef) -> None:
    allowed = _MAX_FACTOR * graph.ByteSize() + _MAX_SPARE_BYTES
    for node in graph.node:
        if node.op != "Const":
            continue
        tensor = node.attr["value"].tensor
        sizes = [side.size for side in tensor.tensor_shape.dim]
        try:
            item_size = np.dtype(tf.as_dtype(tensor.dtype).as_numpy_dtype).itemsize
        except TypeError:
            item_size = 0
        if (
            not item_size
            or tensor.tensor_shape.unknown_rank
            or min(sizes, default=0) < 0
        ):
            raise UserError(
                f"the graph's constant {printable(node.name)} has no readable values:"
                " the graph is damaged"
            )
        allowed -= math.prod(sizes) * item_size
        if allowed < 0:
            shape = "x".join(map(str, sizes))
            raise UserError(
                f"the graph's constant {printable(node.name)} claims {shape} values,"
                " which the file is too small for: it is damaged, or meant to exhaust"
                " the memory"
            )


def node_name(tensor_name: str) -> str:
    """The node that outputs a tensor, or that a control input names."""
    return tensor_name.partition(":")[0].removeprefix("^")
