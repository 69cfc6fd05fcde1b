"""CifarNet's and LeNet's options, in graphs. Their defaults: nets_golden_test.py."""

import numpy as np
import pytest
import tensorflow as tf

from nets import cifarnet, lenet, slim

v1 = tf.compat.v1


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("network", "size", "root"),
    [(cifarnet.cifarnet, 32, "CifarNet"), (lenet.lenet, 28, "LeNet")],
)
def test_channels_sizes_and_scopes(network, size, root, channels):
    assert network.default_image_size == size
    logits, end_points = network(tf.zeros([2, 20, 24, channels]), 5)
    assert logits.shape == [2, 5]
    assert end_points["pool2"].shape == [2, 5, 6, 64]
    assert end_points["Predictions"].shape == [2, 5]
    first = slim.get_model_variables()[0]
    assert first.op.name == f"{root}/conv1/weights"
    assert first.shape[2] == channels
    network(tf.zeros([2, 20, 24, channels]), 5, scope="Other")
    assert slim.get_model_variables()[-1].op.name.startswith("Other/")


@pytest.mark.parametrize("nothing", [None, 0])
@pytest.mark.parametrize(
    ("network", "last", "depth"),
    [(cifarnet.cifarnet, "fc4", 192), (lenet.lenet, "dropout3", 1024)],
)
def test_features_without_classes(network, last, depth, nothing):
    net, end_points = network(tf.zeros([2, 16, 16, 3]), nothing)
    assert net.shape == [2, depth]
    assert list(end_points)[-1] == last
    assert end_points[last] is net


@pytest.mark.parametrize("network", [cifarnet.cifarnet, lenet.lenet])
def test_dropout_is_off_by_default_and_on_in_training(network):
    images = tf.ones([2, 16, 16, 3])
    outputs = {}
    for is_training in (False, True):
        with v1.variable_scope("shared", reuse=v1.AUTO_REUSE):
            _, end_points = network(
                images, 5, is_training=is_training, dropout_keep_prob=0.1
            )
        outputs[is_training] = end_points["Logits"]
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        twice = [session.run(outputs) for _ in range(2)]
    np.testing.assert_array_equal(twice[0][False], twice[1][False])
    assert np.abs(twice[0][True] - twice[1][True]).max() > 0


def test_the_penalty_of_cifarnet_is_on_its_two_hidden_layers():
    with slim.arg_scope(cifarnet.cifarnet_arg_scope(weight_decay=0.5)):
        cifarnet.cifarnet(tf.zeros([2, 16, 16, 3]), 5)
    names = [loss.op.name for loss in v1.losses.get_regularization_losses()]
    assert [name.split("/")[1] for name in names] == ["fc3", "fc4"]
    biases = [v for v in slim.get_model_variables() if v.op.name.endswith("biases")]
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        values = {v.op.name.split("/")[1]: session.run(v)[0] for v in biases}
    assert values == pytest.approx(
        {"conv1": 0.0, "conv2": 0.0, "fc3": 0.1, "fc4": 0.1, "logits": 0.0}
    )


def test_lenets_defaults():
    with slim.arg_scope(lenet.lenet_arg_scope(weight_decay=0.5)):
        lenet.lenet(tf.zeros([2, 16, 16, 1]), 5)
    assert len(v1.losses.get_regularization_losses()) == 4
    weights = [v for v in slim.get_model_variables() if v.op.name.endswith("weights")]
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        fc3 = session.run(weights[2])
    assert np.abs(fc3).max() <= 0.2  # cut off at two deviations of 0.1
    assert fc3.std() == pytest.approx(0.088, abs=0.003)
