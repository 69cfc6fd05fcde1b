"""Frozen graphs: which constants become variables, and what the graph computes."""

import dataclasses
import os

import numpy as np
import pytest
import tensorflow as tf

from checkpoints import model_info, slim_format
from convert.weights import conversion, frozen_graph
from convert.weights.layers import Layer
from errors import UserError
from tests.convert import frozen_graphs

v1 = tf.compat.v1
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


@pytest.fixture(scope="module")
def lenet():
    return frozen_graphs.lenet()


@pytest.fixture(scope="module")
def source(lenet):
    return frozen_graph.source(lenet[0])


def _convert_and_check(source, values, folder):
    prefix = str(folder / "net" / "model.ckpt")
    assert conversion.convert(source, prefix) < EXACT
    checkpoint = slim_format.Checkpoint(prefix)
    assert set(checkpoint.shapes) == set(values)
    for name, expected in values.items():
        np.testing.assert_array_equal(checkpoint.read(name), expected)
    record = model_info.read(str(folder / "net"))
    assert record is not None
    return record


def test_the_net_is_found_and_computes_the_same(lenet, source, tmp_path):
    other = dataclasses.replace(source, preprocessing="inception")
    record = _convert_and_check(other, lenet[1], tmp_path)
    assert (record.model_name, record.num_classes) == ("lenet", 5)
    assert record.preprocessing_name == "inception"


def test_batch_norms_come_with_their_layers(tmp_path):
    net = "mobilenet_v1_025"
    graph, values = frozen_graphs.freeze(
        net, 32, 5, "MobilenetV1/Predictions/Reshape_1"
    )
    record = _convert_and_check(frozen_graph.source(graph, net), values, tmp_path)
    assert (record.model_name, record.image_size) == (net, 32)


def test_one_weight_that_is_off_is_noticed_and_nothing_written(source, tmp_path):
    scope = "LeNet/conv1"

    def with_a_mistake(scopes):
        layers = dict(source.layers_at(scopes))
        weights = layers[scope].kernels["weights"].copy()
        weights[2, 2, 1, 1] += 1
        layers[scope] = Layer({"weights": weights}, layers[scope].bias)
        return layers

    wrong = dataclasses.replace(source, layers_at=with_a_mistake)
    with pytest.raises(UserError, match=r"the logits differ by .* nothing was written"):
        conversion.convert(wrong, str(tmp_path / "net" / "model.ckpt"))
    assert not os.listdir(tmp_path)


def test_a_graph_without_the_classifier_gives_the_body(tmp_path):
    graph, _ = frozen_graphs.freeze("lenet", 28, None, "LeNet/fc3/Relu")
    source = frozen_graph.source(graph)
    assert (source.has_classifier, source.num_outputs) == (False, 1024)
    prefix = str(tmp_path / "model.ckpt")
    assert conversion.convert(source, prefix) < EXACT
    names = slim_format.Checkpoint(prefix).shapes
    assert names
    assert not any(name.startswith("LeNet/fc4") for name in names)


def test_another_net_than_the_named_one_is_refused(lenet):
    message = "--model_name=cifarnet: .* 10 missing, such as CifarNet/conv1/weights"
    with pytest.raises(UserError, match=message):
        frozen_graph.source(lenet[0], "cifarnet")


def test_a_graph_that_does_not_begin_with_the_nets_images_is_refused(lenet):
    graph = v1.GraphDef()
    graph.CopyFrom(lenet[0])
    (images,) = (node for node in graph.node if node.op == "Placeholder")
    images.attr["dtype"].type = tf.uint8.as_datatype_enum
    with pytest.raises(UserError, match=r"single placeholder, .* it has \['input'\]"):
        frozen_graph.source(graph)


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
