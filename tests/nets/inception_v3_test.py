"""Inception v3's options, in graphs. Its defaults: nets_golden_test.py."""

import pytest
import tensorflow as tf

from nets import inception, slim


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def build(size=128, num_classes=5, **options):
    images = tf.zeros([2, size, size, 3])
    return inception.inception_v3(
        images, num_classes, depth_multiplier=0.1, min_depth=4, **options
    )


def test_options_reach_the_heads():
    logits, end_points = build(size=160, spatial_squeeze=False, global_pool=True)
    assert logits.shape == [2, 1, 1, 5]
    assert end_points["AuxLogits"].shape == [2, 1, 1, 5]
    assert end_points["AuxLogits"].op.name.startswith("InceptionV3/AuxLogits")
    assert "global_pool" in end_points
    # Mixed_6e is 8x8, and its pooling leaves 2x2.
    shapes = {v.op.name: v.shape for v in slim.get_model_variables()}
    assert shapes["InceptionV3/AuxLogits/Conv2d_2a_2x2/weights"] == [2, 2, 12, 76]


@pytest.mark.parametrize(
    ("options", "last"),
    [
        ({"num_classes": None}, "AvgPool_1a"),
        ({"create_aux_logits": False}, "Predictions"),
    ],
)
def test_the_auxiliary_head_is_optional(options, last):
    _, end_points = build(**options)
    assert list(end_points)[-1] == last
    assert "AuxLogits" not in end_points
    assert not any("AuxLogits" in v.op.name for v in slim.get_model_variables())


@pytest.mark.parametrize("factor", [-0.1, 0.0])
def test_depth_multiplier_must_be_above_zero(factor):
    with pytest.raises(ValueError, match=r"depth_multiplier is .*above 0"):
        inception.inception_v3(tf.zeros([2, 128, 128, 3]), 5, depth_multiplier=factor)
