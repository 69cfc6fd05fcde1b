"""Frozen graphs: which constants become variables, under which names."""

import numpy as np
import pytest
import tensorflow as tf

from convert import frozen_graph_to_slim
from errors import UserError
from nets import network


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
    found = frozen_graph_to_slim.frozen_variables(_graph(*nodes))
    assert list(found) == ["Net/Conv/weights"]
    np.testing.assert_array_equal(found["Net/Conv/weights"], WEIGHTS)


def test_other_constants_stay_out():
    graph = _graph(
        _constant("Net/Reshape/shape", np.array([1, -1], np.int32)),
        _constant("Net/BatchNorm/batchnorm/add/y", np.float32(0.001)),
        tf.compat.v1.NodeDef(name="Net/biases", op="Placeholder"),
        _identity("Net/beta", "an_op_that_is_not_there"),
    )
    assert frozen_graph_to_slim.frozen_variables(graph) == {}


def test_names_and_values_survive_the_way_through_a_checkpoint(tmp_path):
    parts = {
        "Net/Conv/depthwise_weights": WEIGHTS,
        "Net/Conv/BatchNorm/gamma": np.array([1, 2, 3], np.float32),
        "Net/Conv/BatchNorm/moving_variance": np.array([4, 5, 6], np.float32),
        "Net/Logits/biases": np.array([7], np.float32),
    }
    graph_file = tmp_path / "graph.pb"
    graph = _graph(*(_constant(name, values) for name, values in parts.items()))
    graph_file.write_bytes(graph.SerializeToString())

    prefix = str(tmp_path / "out" / "net.ckpt")
    frozen_graph_to_slim.convert(str(graph_file), prefix)

    reader = tf.train.load_checkpoint(prefix)
    assert set(reader.get_variable_to_shape_map()) == set(parts)
    for name, values in parts.items():
        np.testing.assert_array_equal(reader.get_tensor(name), values)


def test_a_missing_file_is_one_clear_line(tmp_path):
    with pytest.raises(UserError, match=r"--graph_file: cannot read '.*none\.pb'"):
        frozen_graph_to_slim.convert(str(tmp_path / "none.pb"), str(tmp_path / "out"))


def test_a_file_of_another_kind_is_one_clear_line(tmp_path):
    (tmp_path / "photo.pb").write_bytes(b"\xff\xd8\xff\xe0 not a graph")
    with pytest.raises(UserError, match="is not a GraphDef"):
        frozen_graph_to_slim.convert(str(tmp_path / "photo.pb"), str(tmp_path / "out"))


def test_a_graph_without_slim_variables_is_one_clear_line(tmp_path):
    graph = _graph(_constant("dense/kernel", WEIGHTS))
    (tmp_path / "keras.pb").write_bytes(graph.SerializeToString())
    with pytest.raises(UserError, match="no constants named like slim variables"):
        frozen_graph_to_slim.convert(str(tmp_path / "keras.pb"), str(tmp_path / "out"))
    assert not list(tmp_path.glob("out*"))


@pytest.fixture(scope="module")
def mobilenet():
    net = network.Network("mobilenet_v1_025", num_classes=2, image_size=64)
    return {
        name: np.zeros(variable.shape, np.float32)
        for name, variable in net.model_variables.items()
    }


def test_the_variables_of_the_named_net_pass_whatever_the_number_of_classes(mobilenet):
    logits = "MobilenetV1/Logits/Conv2d_1c_1x1/weights"
    more_classes = mobilenet | {logits: np.zeros([1, 1, 256, 1001], np.float32)}
    frozen_graph_to_slim.check_variables(more_classes, "mobilenet_v1_025")


def test_a_missing_an_extra_and_a_misshapen_variable_are_named(mobilenet):
    name = "MobilenetV1/Conv2d_0/weights"
    missing = {key: values for key, values in mobilenet.items() if key != name}
    with pytest.raises(UserError, match=rf"{name}: shape missing in the graph"):
        frozen_graph_to_slim.check_variables(missing, "mobilenet_v1_025")
    extra = mobilenet | {"MobilenetV1/A/weights": WEIGHTS}
    with pytest.raises(
        UserError, match=r"A/weights: shape \(2, 3\) in the graph and m"
    ):
        frozen_graph_to_slim.check_variables(extra, "mobilenet_v1_025")
    misshapen = mobilenet | {name: WEIGHTS}
    with pytest.raises(UserError, match=r"and \(3, 3, 3, 8\) in the net"):
        frozen_graph_to_slim.check_variables(misshapen, "mobilenet_v1_025")
