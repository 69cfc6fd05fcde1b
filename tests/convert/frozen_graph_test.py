"""Frozen graphs: which constants become variables, and what the graph computes."""

import dataclasses
import os

import numpy as np
import pytest
import tensorflow as tf

from checkpoints import model_record, slim_format
from convert import frozen_graph, weight_conversion
from convert.weight_layers import Layer
from errors import UserError
from nets import nets_factory
from tests.nets import recipe

v1 = tf.compat.v1
NET, CLASSES, SIDE = "mobilenet_v1_025", 5, 32
EXACT = 1e-5


def _constant(name, values):
    node = tf.compat.v1.NodeDef(name=name, op="Const")
    node.attr["dtype"].type = tf.as_dtype(np.asarray(values).dtype).as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values))
    return node


def _identity(name, source):
    return tf.compat.v1.NodeDef(name=name, op="Identity", input=[source])


def _graph(*nodes):
    return tf.compat.v1.GraphDef(node=nodes)


WEIGHTS = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize(
    "nodes",
    [
        (_constant("Net/Conv/weights", WEIGHTS),),
        (
            _constant("Net/Conv/weights", WEIGHTS),
            _identity("Net/Conv/weights/read", "Net/Conv/weights"),
        ),
        (_constant("Net/Conv/weights/read", WEIGHTS),),
        (_constant("folded_7", WEIGHTS), _identity("Net/Conv/weights", "folded_7")),
        (
            _constant("folded_7", WEIGHTS),
            _identity("copy", "folded_7:0"),
            _identity("Net/Conv/weights/ReadVariableOp", "copy"),
        ),
    ],
    ids=["plain", "read", "read folded", "renamed", "chain"],
)
def test_a_frozen_variable_is_found_whatever_froze_it(nodes):
    found = frozen_graph.frozen_variables(_graph(*nodes))
    assert list(found) == ["Net/Conv/weights"]
    np.testing.assert_array_equal(found["Net/Conv/weights"], WEIGHTS)


def test_other_constants_stay_out():
    graph = _graph(
        _constant("Net/Reshape/shape", np.array([1, -1], np.int32)),
        _constant("Net/BatchNorm/batchnorm/add/y", np.float32(0.001)),
        tf.compat.v1.NodeDef(name="Net/biases", op="Placeholder"),
        _identity("Net/beta", "an_op_that_is_not_there"),
    )
    assert frozen_graph.frozen_variables(graph) == {}


def _freeze(num_classes, output):
    """A frozen graph for one image, with the recipe's weights; and these."""
    with tf.Graph().as_default() as graph, v1.Session() as session:
        images = v1.placeholder(tf.float32, (1, SIDE, SIDE, 3), "input")
        nets_factory.get_network_fn(NET, num_classes)(images)
        values = {}
        for variable in v1.global_variables():
            name = variable.op.name
            values[name] = recipe.weights(name, tuple(variable.shape))
            variable.load(values[name], session)
        constant = v1.graph_util.convert_variables_to_constants
        return constant(session, graph.as_graph_def(), [output]), values


@pytest.fixture(scope="module")
def mobilenet():
    return _freeze(CLASSES, "MobilenetV1/Predictions/Reshape_1")


@pytest.fixture(scope="module")
def source(mobilenet):
    return frozen_graph.source(mobilenet[0])


def test_the_net_is_found_and_computes_the_same(mobilenet, source, tmp_path):
    prefix = str(tmp_path / "net" / "model.ckpt")
    assert weight_conversion.convert(source, prefix) < EXACT
    checkpoint, values = slim_format.Checkpoint(prefix), mobilenet[1]
    assert set(checkpoint.shapes) == set(values)
    for name, expected in values.items():
        np.testing.assert_array_equal(checkpoint.read(name), expected)
    record = model_record.read(str(tmp_path / "net"))
    assert record is not None
    assert (record.model_name, record.image_size) == (NET, SIDE)


def test_one_weight_that_is_off_is_noticed_and_nothing_written(source, tmp_path):
    scope = "MobilenetV1/Conv2d_0"

    def with_a_mistake(scopes):
        layers = dict(source.layers_at(scopes))
        weights = layers[scope].kernels["weights"].copy()
        weights[1, 1, 1, 1] += 1
        layers[scope] = Layer({**layers[scope].kernels, "weights": weights})
        return layers

    wrong = dataclasses.replace(source, layers_at=with_a_mistake)
    with pytest.raises(UserError, match=r"the logits differ by .* nothing was written"):
        weight_conversion.convert(wrong, str(tmp_path / "net" / "model.ckpt"))
    assert not os.listdir(tmp_path)


def test_a_graph_without_the_classifier_gives_the_body(tmp_path):
    graph, _ = _freeze(None, "MobilenetV1/Logits/AvgPool_1a/AvgPool")
    source = frozen_graph.source(graph, NET)
    assert (source.has_classifier, source.num_outputs) == (False, 256)
    prefix = str(tmp_path / "model.ckpt")
    assert weight_conversion.convert(source, prefix) < EXACT
    names = slim_format.Checkpoint(prefix).shapes
    assert not any(name.startswith("MobilenetV1/Logits") for name in names)


def test_another_net_than_the_named_one_is_refused(mobilenet):
    message = r"--model_name=mobilenet_v1: .* \d+ of another shape, such as Mobilenet"
    with pytest.raises(UserError, match=message):
        frozen_graph.source(mobilenet[0], "mobilenet_v1")


def test_a_graph_that_does_not_begin_with_the_nets_images_is_refused(mobilenet):
    graph = v1.GraphDef()
    graph.CopyFrom(mobilenet[0])
    (images,) = (node for node in graph.node if node.op == "Placeholder")
    images.attr["dtype"].type = tf.uint8.as_datatype_enum
    with pytest.raises(UserError, match=r"one placeholder, .* and has \['input'\]"):
        frozen_graph.source(graph, NET)


def test_a_missing_file_is_one_clear_line(tmp_path):
    with pytest.raises(UserError, match=r"--graph_file: cannot read '.*none\.pb'"):
        frozen_graph.read(str(tmp_path / "none.pb"))


def test_a_file_of_another_kind_is_one_clear_line(tmp_path):
    (tmp_path / "photo.pb").write_bytes(b"\xff\xd8\xff\xe0 not a graph")
    with pytest.raises(UserError, match="is not a GraphDef"):
        frozen_graph.read(str(tmp_path / "photo.pb"))


def test_a_graph_without_slim_variables_is_one_clear_line():
    with pytest.raises(UserError, match="no constants named like slim variables"):
        frozen_graph.source(_graph(_constant("dense/kernel", WEIGHTS)))
