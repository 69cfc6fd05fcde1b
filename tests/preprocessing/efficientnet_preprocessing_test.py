"""The recipe of TensorFlow's EfficientNets, by hand and against its own resize."""

import numpy as np
import pytest
import tensorflow as tf

from preprocessing import efficientnet_preprocessing as efficientnet
from preprocessing import preprocessing_factory as factory


def _expected(window, size):
    return tf.compat.v1.image.resize_bicubic(
        window[np.newaxis].astype(np.float32), [size, size]
    )[0]


@pytest.mark.parametrize(
    ("size", "output", "side", "corner"),
    [
        ((375, 500), 224, 328, (24, 86)),  # 224 / 256 of 375 is 328.125; 47 / 2 goes up
        ((500, 375), 224, 328, (86, 24)),
        ((64, 64), 32, 32, (16, 16)),  # half: the border counts 32 pixels
        ((300, 300), 300, 271, (15, 15)),  # 300 / 332 of 300 is 271.08; 29 / 2 goes up
    ],
)
def test_the_middle_is_resized(size, output, side, corner, run):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    top, left = corner
    window = image[top : top + side, left : left + side]
    fn = factory.get_preprocessing("efficientnet_lite", is_training=False)
    result = run(lambda x: fn(x, output, output), image)
    np.testing.assert_allclose(result * 128 + 127, _expected(window, output), atol=1e-3)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("efficientnet", [(1 - 0.485) / 0.229, 0.2052, -0.406 / 0.225]),
        ("efficientnet_lite", [1.0, 1 / 128, -127 / 128]),
        ("efficientnet_v2", [127 / 128, 0.0, -1.0]),
    ],
)
@pytest.mark.parametrize("is_training", [True, False])
def test_a_color_by_hand(name, expected, is_training):
    image = np.full([40, 60, 3], [255, 128, 0], np.uint8)
    fn = factory.get_preprocessing(name, is_training)
    result = fn(image, 8, 8, tf.constant([1, 2], tf.int64))
    np.testing.assert_allclose(result, np.broadcast_to(expected, [8, 8, 3]), atol=1e-4)


def test_an_image_of_one_pixel():
    image = np.full([1, 1, 3], 255, np.uint8)
    result = efficientnet.evaluate(image, 8, 8)
    assert result.shape == (8, 8, 3)
    assert np.isfinite(result).all()
