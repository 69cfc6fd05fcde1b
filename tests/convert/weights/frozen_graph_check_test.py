"""A graph that does more than compute a net is refused before TensorFlow sees it."""

import numpy as np
import pytest
import tensorflow as tf

from convert.weights import frozen_graph, frozen_graph_check
from errors import UserError
from nets import nets_factory
from tests.convert import frozen_graphs

v1 = tf.compat.v1


def _refuse(graph, message):
    with pytest.raises(UserError, match=message) as error:
        frozen_graph.source(graph)
    assert "\n" not in str(error.value)


def _file_writer(path):
    return tf.raw_ops.WriteFile(filename=str(path), contents="anything")


@pytest.mark.parametrize("place", ["unused", "control input", "function"])
def test_a_graph_that_writes_a_file_is_refused_and_writes_nothing(place, tmp_path):
    written = tmp_path / "written"
    graph = v1.GraphDef()
    graph.CopyFrom(frozen_graphs.lenet()[0])
    if place == "function":
        function = tf.function(lambda: [_file_writer(written), tf.constant(1)][1])
        definition = function.get_concrete_function().function_def
        graph.library.function.append(definition)
    else:
        with tf.Graph().as_default() as other:
            _file_writer(written)
        graph.node.extend(other.as_graph_def().node)
    if place == "control input":
        (logits,) = (n for n in graph.node if n.name == "LeNet/fc4/BiasAdd")
        logits.input.append("^WriteFile")
    _refuse(graph, r"holds the operation WriteFile \(.*was not run")
    assert not written.exists()


@pytest.mark.parametrize(
    "operation", ["PyFunc", "While", "Fill", "LoadAndRemapMatrix", "\x1b[31mBad"]
)
def test_only_what_nets_compute_with_is_taken(operation):
    message = r"\\x1b\[31mBad" if operation.startswith("\x1b") else operation
    _refuse(v1.GraphDef(node=[v1.NodeDef(name="a", op=operation)]), message)


def test_nets_hold_no_other_operations():
    """Of every kind of net; what is_training=False leaves is what freezing keeps."""
    for name in ("cifarnet", "inception_v4", "mobilenet_v3_small", "resnet_v2_50"):
        entry = nets_factory.get_entry(name)
        with tf.Graph().as_default() as graph:
            images = v1.placeholder(tf.float32, (None, *2 * [entry.image_size], 3))
            nets_factory.get_network_fn(name, 5)(images)
        variables = {
            "VariableV2",
            "Variable",
            "VarHandleOp",
            "Assign",
            "ReadVariableOp",
        }
        known = frozen_graph_check._OPERATIONS | variables
        used = {operation.type for operation in graph.get_operations()}
        initialisers = {"TruncatedNormal", "RandomUniform", "AssignVariableOp", "Fill"}
        initialisers |= {"VarIsInitializedOp", "L2Loss", "RandomStandardNormal"}
        assert used - known - initialisers == set(), name


def _constant(name, shape):
    node = v1.NodeDef(name=name, op="Const")
    node.attr["dtype"].type = tf.float32.as_datatype_enum
    tensor = node.attr["value"].tensor
    tensor.dtype = tf.float32.as_datatype_enum
    tensor.float_val.append(1.0)
    for side in shape:
        tensor.tensor_shape.dim.add().size = side
    return node


@pytest.mark.parametrize("shape", [(10**6, 10**6), (2**62, 4), (20_000_000,)])
def test_a_constant_larger_than_its_file_is_refused(shape):
    graph = v1.GraphDef(node=[_constant("LeNet/conv1/weights", shape)])
    _refuse(graph, "LeNet/conv1/weights claims .* values, which the file is too small")


def test_a_constant_of_a_negative_size_is_refused():
    _refuse(v1.GraphDef(node=[_constant("a", (-1,))]), "no readable values")


def test_a_tensor_that_grows_without_bound_is_not_made():
    """Thirty times joined to itself, an image is a thousand gigabytes."""
    with tf.Graph().as_default() as graph:
        x = tf.zeros((1, 28, 28, 3))
        for _ in range(30):
            x = tf.concat([x, x], 3)
    with pytest.raises(UserError, match=r"ConcatV2 .* outputs a tensor .* was not run"):
        frozen_graph_check.check_sizes(graph)


def test_a_size_that_only_running_would_tell_is_refused():
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, (1, 2))
        tf.pad(x, tf.cast(1e9 * tf.reshape(tf.tile(x, [2, 1]), (2, 2)), tf.int32))
    with pytest.raises(UserError, match=r"PadV?2? .*expected a known one"):
        frozen_graph_check.check_sizes(graph)


def test_circles_and_inputs_that_are_not_there_are_refused():
    def identity(name, source):
        return v1.NodeDef(name=name, op="Identity", input=[source])

    _refuse(
        v1.GraphDef(node=[identity("a", "b:0"), identity("b", "^a")]),
        "reads its own output",
    )
    _refuse(v1.GraphDef(node=[identity("a", "none")]), "none, which does not exist")
    twice = [_constant("a", ()), _constant("a", ())]
    _refuse(v1.GraphDef(node=twice), "two nodes of the same name")


def test_devices_that_are_not_there_do_not_matter():
    graph = v1.GraphDef()
    graph.CopyFrom(frozen_graphs.lenet()[0])
    for node in graph.node:
        node.device = "/job:ps/task:3/device:GPU:7"
    source = frozen_graph.source(graph)
    assert source.run(np.zeros((1, 28, 28, 3), np.float32)).shape == (1, 5)
