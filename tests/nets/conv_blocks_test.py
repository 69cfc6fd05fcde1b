"""The blocks of MobileNet by themselves; inside of networks: mobilenet_v2_test.py."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from nets import slim
from nets.mobilenet import conv_blocks

v1 = tf.compat.v1


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default():
        yield


def evaluate(tensors):
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        return session.run(tensors)


def shapes():
    return {v.op.name: tuple(v.shape) for v in slim.get_model_variables()}


def linear():
    """Every weight is 1, no biases, no activation: sums of what a layer sees."""
    return slim.arg_scope(
        [slim.conv2d, slim.separable_conv2d],
        weights_initializer=tf.ones_initializer(),
        biases_initializer=None,
        activation_fn=None,
    )


def test_split_separable_conv2d_has_the_scopes_of_mobilenet_v1():
    outputs: dict[str, tf.Tensor] = {}
    conv_blocks.split_separable_conv2d(
        tf.zeros([1, 8, 8, 4]), 6, scope="Conv2d_1", stride=2, endpoints=outputs
    )
    assert shapes()["Conv2d_1_depthwise/depthwise_weights"] == (3, 3, 4, 1)
    assert shapes()["Conv2d_1_pointwise/weights"] == (1, 1, 4, 6)
    assert outputs["Conv2d_1_depthwise"].shape == (1, 4, 4, 4)
    assert outputs["Conv2d_1_pointwise"].shape == (1, 4, 4, 6)


def test_split_separable_conv2d_without_a_scope_makes_one():
    for _ in range(2):
        conv_blocks.split_separable_conv2d(tf.zeros([1, 8, 8, 4]), 6)
    assert "separable/depthwise/depthwise_weights" in shapes()
    assert "separable_1/pointwise/weights" in shapes()


@pytest.mark.parametrize("use_explicit_padding", [False, True])
def test_split_separable_conv2d_sums_windows_and_channels(use_explicit_padding):
    """Of ones: 3x3 inside, 2x3 at an edge, 2x2 in a corner; then over two channels."""
    with linear():
        net = conv_blocks.split_separable_conv2d(
            tf.ones([1, 3, 3, 2]), 1, use_explicit_padding=use_explicit_padding
        )
    expected = [[8, 12, 8], [12, 18, 12], [8, 12, 8]]
    np.testing.assert_array_equal(evaluate(net)[0, :, :, 0], expected)


def test_squeeze_excite_gates_by_another_tensors_means():
    x = tf.constant([[[[1.0, 2.0]]]])
    other = tf.constant([[[[1.0, 2.0, 3.0]], [[3.0, 4.0, 5.0]]]])  # means sum to 9
    with linear():
        net = conv_blocks.squeeze_excite(
            x,
            divisible_by=1,
            squeeze_factor=3,
            gating_fn=tf.identity,
            squeeze_input_tensor=other,
        )
    np.testing.assert_allclose(evaluate(net), [[[[9.0, 18.0]]]])


def test_squeeze_excite_by_windows_resizes_the_gates():
    """Windows of means 1 and 3, resized with aligned corners to 1, 5/3, 7/3, 3."""
    x = tf.constant([[[[1.0], [1.0], [3.0], [3.0]]] * 2])
    with linear():
        net = conv_blocks.squeeze_excite(
            x, divisible_by=1, squeeze_factor=1, gating_fn=tf.identity, pool=2
        )
    row = [1, 5 / 3, 7, 9]
    np.testing.assert_allclose(evaluate(net)[0, :, :, 0], [row, row], rtol=1e-6)


def test_global_pool():
    x = tf.constant([[[[1.0], [2.0]], [[3.0], [6.0]]]])
    unknown = v1.placeholder_with_default(x, [None, None, None, 1])
    results = evaluate(
        [
            conv_blocks.global_pool(x),
            conv_blocks.global_pool(unknown),
            conv_blocks.global_pool(x, pool_op=tf.nn.max_pool2d),
        ]
    )
    np.testing.assert_array_equal(np.ravel(results), [3, 3, 6])
    with pytest.raises(ValueError, match="needs a known height and width"):
        conv_blocks.global_pool(unknown, pool_op=tf.nn.max_pool2d)


@pytest.mark.parametrize(
    ("location", "depthwise", "expansion"),
    [("input", 4, 24), ("expansion", 24, 24), ("output", 8, 24), (None, None, 24)],
)
def test_where_the_depthwise_convolution_is(location, depthwise, expansion):
    net = conv_blocks.expanded_conv(
        tf.zeros([1, 6, 6, 4]), 8, stride=2, depthwise_location=location
    )
    assert net.shape == ((1, 3, 3, 8) if location else (1, 6, 6, 8))
    weights = shapes().get("expanded_conv/depthwise/depthwise_weights")
    assert weights == (depthwise and (3, 3, depthwise, 1))
    assert shapes()["expanded_conv/expand/weights"] == (1, 1, 4, expansion)
    assert shapes()["expanded_conv/project/weights"] == (1, 1, expansion, 8)


def test_a_depthwise_convolution_can_multiply_the_channels():
    outputs: dict[str, tf.Tensor] = {}
    net = conv_blocks.expanded_conv(
        tf.zeros([1, 6, 6, 4]), 8, depthwise_channel_multiplier=3, endpoints=outputs
    )
    assert outputs.keys() == {
        "expansion_output",
        "depthwise_output",
        "projection_output",
        "output",
    }
    assert outputs["depthwise_output"].shape == (1, 6, 6, 72)
    assert net is outputs["output"]


@pytest.mark.parametrize(("residual", "expected"), [(True, 7), (False, 6)])
def test_the_shortcut(residual, expected):
    """1 + 6 x 1: every pixel is 1, expanded to six, summed by the projection."""
    with linear():
        net = conv_blocks.expanded_conv(
            tf.ones([1, 2, 2, 1]),
            1,
            expansion_size=6,
            kernel_size=(1, 1),
            residual=residual,
        )
    np.testing.assert_array_equal(evaluate(net), np.full([1, 2, 2, 1], expected))


def test_a_shortcut_of_ones_own():
    def difference(input_tensor, output_tensor):
        return output_tensor - input_tensor

    with linear():
        net = conv_blocks.expanded_conv(
            tf.ones([1, 2, 2, 1]), 1, 6, kernel_size=(1, 1), residual=difference
        )
    np.testing.assert_array_equal(evaluate(net), np.full([1, 2, 2, 1], 5))


def test_layers_of_ones_own():
    """A full convolution that expands, and one that projects."""
    net = conv_blocks.expanded_conv(
        tf.zeros([1, 6, 6, 4]),
        8,
        depthwise_location=None,
        expansion_fn=functools.partial(slim.conv2d, kernel_size=3, stride=2),
        projection_fn=functools.partial(slim.conv2d, kernel_size=5),
    )
    assert net.shape == (1, 3, 3, 8)
    assert shapes()["expanded_conv/expand/weights"] == (3, 3, 4, 24)
    assert shapes()["expanded_conv/project/weights"] == (5, 5, 24, 8)


def test_an_activation_of_the_depthwise_convolution_alone():
    net = conv_blocks.expanded_conv(
        tf.zeros([1, 6, 6, 4]),
        8,
        inner_activation_fn=tf.nn.elu,
        depthwise_activation_fn=tf.nn.selu,
    )
    types = [op.type for op in net.graph.get_operations()]
    assert types.count("Elu") == 1
    assert types.count("Selu") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depthwise_location": "inside"}, "is inside; it must be input, expansion"),
        ({"use_explicit_padding": True, "padding": "VALID"}, "padding is VALID"),
    ],
)
def test_what_a_block_cannot_be(options, message):
    with pytest.raises(TypeError, match=message):
        conv_blocks.expanded_conv(tf.zeros([1, 6, 6, 4]), 8, **options)
