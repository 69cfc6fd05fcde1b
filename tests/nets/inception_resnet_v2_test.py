"""Inception-ResNet v2's options, in graphs. Its defaults: nets_golden_test.py."""

import numpy as np
import pytest
import tensorflow as tf

from nets import inception, inception_resnet_v2, slim

v1 = tf.compat.v1


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def sides(last, **options):
    net, end_points = inception.inception_resnet_v2_base(
        tf.zeros([1, 299, 299, 3]), last, **options
    )
    assert list(end_points)[-1] == last
    assert end_points[last] is net
    return [value.shape[1] for value in end_points.values()]


@pytest.fixture
def no_block35(monkeypatch):
    """The ten blocks between Mixed_5b and Mixed_6a, which change no size, cost time."""
    monkeypatch.setattr(inception_resnet_v2, "block35", lambda net, *_: net)


@pytest.mark.usefixtures("no_block35")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [149, 147, 147, 73, 73, 71, 35, 35, 17]),
        ({"align_feature_maps": True}, [150, 150, 150, 75, 75, 75, 38, 38, 19]),
        ({"output_stride": 8}, [149, 147, 147, 73, 73, 71, 35, 35, 33]),
        (
            {"output_stride": 8, "align_feature_maps": True},
            [150, 150, 150, 75, 75, 75, 38, 38, 38],
        ),
    ],
)
def test_map_sizes(options, expected):
    assert sides("Mixed_6a", **options) == expected


@pytest.mark.usefixtures("no_block35")
@pytest.mark.parametrize(("stride", "rate"), [(16, 1), (8, 2)])
def test_atrous_convolutions_take_over_from_the_stride(stride, rate, monkeypatch):
    shrunk = []

    def block17(net, *_):
        valid = slim.conv2d(net, 1, [3, 3], padding="VALID")
        shrunk.append(net.shape[1] - valid.shape[1])
        return net

    monkeypatch.setattr(inception_resnet_v2, "block17", block17)
    sides("PreAuxLogits", output_stride=stride)
    assert shrunk == [2 * rate] * 20


def test_what_output_stride_cannot_be():
    images = tf.zeros([1, 299, 299, 3])
    with pytest.raises(ValueError, match="output_stride is 4; it must be 8 or 16"):
        inception.inception_resnet_v2_base(images, output_stride=4)
    with pytest.raises(ValueError, match="output_stride=8 needs a final_endpoint"):
        inception.inception_resnet_v2_base(images, output_stride=8)
    with pytest.raises(ValueError, match="Unknown final endpoint Mixed_8a"):
        inception.inception_resnet_v2_base(images, "Mixed_8a")


@pytest.mark.parametrize(
    ("block", "scope", "depth"),
    [
        (inception_resnet_v2.block35, "Block35", 128),
        (inception_resnet_v2.block17, "Block17", 384),
        (inception_resnet_v2.block8, "Block8", 448),
    ],
)
def test_residual_blocks(block, scope, depth):
    """Weights of 0 leave the input plus the bias times the scale."""
    inputs = tf.fill([1, 5, 5, 6], -1.0)
    outputs = {
        "linear": block(inputs, 0.5, None, scope=scope),
        "relu": block(inputs, 0.5, scope=scope, reuse=True),
        "relu6": block(inputs, 10.0, tf.nn.relu6, scope=scope, reuse=True),
    }
    shapes = {v.op.name: v.shape for v in slim.get_model_variables()}
    assert shapes[f"{scope}/Conv2d_1x1/weights"] == [1, 1, depth, 6]
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        for variable in v1.global_variables(f"{scope}/Conv2d_1x1"):
            biases = np.array([-6, -2, 1, 4, 8, 20], np.float32)
            is_bias = variable.op.name.endswith("biases")
            variable.load(biases if is_bias else np.zeros(variable.shape), session)
        values = {k: v[0, 2, 2].tolist() for k, v in session.run(outputs).items()}
    assert values == {
        "linear": [-4.0, -2.0, -0.5, 1.0, 3.0, 9.0],
        "relu": [0.0, 0.0, 0.0, 1.0, 3.0, 9.0],
        "relu6": [0.0, 0.0, 5.0, 5.0, 5.0, 5.0],  # the residual stays below 6
    }


@pytest.mark.parametrize("scale", [False, True])
def test_arg_scope(scale):
    arg_scope = inception.inception_resnet_v2_arg_scope(
        batch_norm_scale=scale, activation_fn=tf.nn.relu6
    )
    policy = slim.LayerPolicy(lambda scope: "Conv2d_2" in scope, None)
    with slim.arg_scope(arg_scope), slim.layer_policy(policy):
        net, _ = inception.inception_resnet_v2_base(
            tf.zeros([1, 75, 75, 3]), "Conv2d_2b_3x3"
        )
    assert net.op.type == "Relu6"
    names = [v.op.name.rpartition("/")[2] for v in slim.get_model_variables()]
    assert names.count("gamma") == (3 if scale else 0)
    updates = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
    assert len(updates) == 2
    assert all("Conv2d_1a_3x3" in op.name for op in updates)
