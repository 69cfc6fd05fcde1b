"""What depends on what in a traced graph, and the arithmetic of its operations."""

import math
from collections.abc import Iterable

import tensorflow as tf


def upstream(operations: Iterable[tf.Operation]) -> set[tf.Operation]:
    """The operations and all that they read, directly or not."""
    reached = set(operations)
    waiting = list(reached)
    while waiting:
        new = {tensor.op for tensor in waiting.pop().inputs} - reached
        reached |= new
        waiting += new
    return reached


def downstream(
    graph: tf.Graph,
    sources: Iterable[tf.Operation],
    without: tf.Operation | None = None,
) -> set[tf.Operation]:
    """The sources and all operations that read of them, directly or not.

    Args:
      graph: that holds them.
      sources: where to start.
      without: an operation through which nothing is reached.
    """
    reached = set(sources)
    for op in graph.get_operations():  # in order of creation: inputs come first
        if op is not without and any(tensor.op in reached for tensor in op.inputs):
            reached.add(op)
    return reached


def flops(op: tf.Operation) -> float:
    """Multiplications and additions of convolutions and matrix products."""
    if op.type == "BatchMatMulV2":
        inner = op.inputs[0].shape[-2 if op.get_attr("adj_x") else -1]
        return 2.0 * inner * math.prod(op.outputs[0].shape)
    if op.type not in ("Conv2D", "DepthwiseConv2dNative", "MatMul"):
        return 0.0
    kernel = op.inputs[1].shape
    taps = {
        "Conv2D": kernel[:-1],
        "DepthwiseConv2dNative": kernel[:2],
        "MatMul": kernel[:1],
    }[op.type]
    return 2.0 * math.prod(taps) * math.prod(op.outputs[0].shape)
