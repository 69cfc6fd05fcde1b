"""Inception v2's options, in graphs. Its defaults: nets_golden_test.py."""

import pytest
import tensorflow as tf

from nets import inception, slim

v1 = tf.compat.v1


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def images(size, channels=3):
    return tf.zeros([2, size, size, channels])


def depths(end_points):
    return {
        name: value.shape[3]
        for name, value in end_points.items()
        if name.startswith(("Mixed", "Conv"))
    }


@pytest.fixture(scope="module")
def default_depths():
    with tf.Graph().as_default():
        return depths(inception.inception_v2_base(images(64))[1])


def test_depth_multiplier(default_depths):
    _, end_points = inception.inception_v2_base(images(64), depth_multiplier=0.5)
    assert depths(end_points) == {k: d / 2 for k, d in default_depths.items()}


def test_min_depth():
    _, end_points = inception.inception_v2_base(
        images(64), "Mixed_3b", depth_multiplier=0.01, min_depth=7
    )
    assert depths(end_points) == {
        "Conv2d_1a_7x7": 7,
        "Conv2d_2b_1x1": 7,
        "Conv2d_2c_3x3": 7,
        "Mixed_3b": 4 * 7,
    }


@pytest.mark.parametrize("factor", [-0.1, 0.0])
def test_depth_multiplier_must_be_above_zero(factor):
    with pytest.raises(ValueError, match=r"depth_multiplier is .*above 0"):
        inception.inception_v2(images(64), 5, depth_multiplier=factor)


@pytest.mark.parametrize(("factor", "multiplier"), [(1.0, 8), (0.25, 5)])
def test_the_first_layer_is_separable(factor, multiplier):
    inception.inception_v2_base(
        images(32), "Conv2d_1a_7x7", depth_multiplier=factor, min_depth=1
    )
    depthwise = slim.get_model_variables()[0]
    assert depthwise.op.name == "InceptionV2/Conv2d_1a_7x7/depthwise_weights"
    assert depthwise.shape == [7, 7, 3, multiplier]  # a third of the channels, or 8


def test_a_full_convolution_in_its_place():
    net, _ = inception.inception_v2_base(
        images(64), "Conv2d_1a_7x7", use_separable_conv=False
    )
    weights = slim.get_model_variables()[0]
    assert weights.op.name == "InceptionV2/Conv2d_1a_7x7/weights"
    assert weights.shape == [7, 7, 3, 64]
    assert net.shape == [2, 32, 32, 64]


def test_channels_first():
    _, end_points = inception.inception_v2_base(
        tf.zeros([2, 3, 64, 64]),
        "Mixed_4a",
        use_separable_conv=False,
        data_format="NCHW",
    )
    assert end_points["MaxPool_3a_3x3"].shape == [2, 192, 8, 8]
    assert end_points["Mixed_3b"].shape == [2, 256, 8, 8]
    assert end_points["Mixed_4a"].shape == [2, 576, 4, 4]


def test_data_formats_that_cannot_be():
    with pytest.raises(ValueError, match="data_format is NCWH"):
        inception.inception_v2_base(images(64), data_format="NCWH")
    with pytest.raises(ValueError, match="use_separable_conv=False"):
        inception.inception_v2_base(images(64), data_format="NCHW")


def test_without_the_root_block():
    _, end_points = inception.inception_v2_base(
        images(28, 192), "Mixed_3b", include_root_block=False
    )
    assert list(end_points) == ["Mixed_3b"]
    assert end_points["Mixed_3b"].shape == [2, 28, 28, 256]


def test_every_final_end_point(default_depths):
    net, end_points = inception.inception_v2_base(images(64), "Mixed_4a")
    assert net.op.name.startswith("InceptionV2/Mixed_4a")
    assert list(end_points)[-1] == "Mixed_4a"
    assert list(depths(end_points)) == list(default_depths)[:6]


def test_options_reach_the_base_and_the_head():
    logits, end_points = inception.inception_v2(
        images(64),
        5,
        depth_multiplier=0.1,
        min_depth=4,
        global_pool=True,
        spatial_squeeze=False,
        scope="Narrow",
    )
    assert logits.shape == [2, 1, 1, 5]
    assert end_points["global_pool"].op.name == "Narrow/Logits/global_pool"
    assert end_points["Mixed_5c"].shape[3] == 35 + 32 + 22 + 12
