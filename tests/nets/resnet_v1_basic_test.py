"""The layout of the basic ResNets, in graphs. Values: nets_golden_test.py."""

import numpy as np
import pytest
import tensorflow as tf

from nets import resnet_v1_basic, slim

v1 = tf.compat.v1


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def test_a_basic_units_stride_comes_first():
    logits, end_points = resnet_v1_basic.resnet_v1_18(
        tf.zeros([2, 64, 64, 3]), 5, scope="net"
    )
    assert logits.shape == [2, 5]
    sides = [end_points[f"net/block{i}"].shape[1] for i in range(1, 5)]
    assert sides == [16, 8, 4, 2]
    assert end_points["net/block2/unit_1/basic_v1/conv1"].shape == [2, 8, 8, 128]
    shortcuts = [name for name in end_points if name.endswith("shortcut")]
    assert shortcuts == [f"net/block{i}/unit_1/basic_v1/shortcut" for i in (2, 3, 4)]


def test_the_basic_nets_pool_pads_all_around():
    """torchvision's way: output 0 sees inputs -1 to 1; SAME would show it 0 to 2."""
    inputs = v1.placeholder(tf.float32, [1, 8, 8, 3])
    net = resnet_v1_basic._root_block(inputs)
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        [weights] = [v for v in slim.get_model_variables() if "weights" in v.op.name]
        centre = np.zeros(weights.shape)
        centre[3, 3, 0] = 1  # conv1 then is every other pixel
        weights.load(centre, session)
        pixels = np.zeros([1, 8, 8, 3])
        pixels[0, ::2, ::2, 0] = np.arange(16).reshape(4, 4)
        output = session.run(net, {inputs: pixels})
    assert output[0, ..., 0].tolist() == [[5, 7], [13, 15]]
