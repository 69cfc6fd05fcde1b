"""Keras's recipes against keras.applications' `preprocess_input`."""

import numpy as np
import pytest
import tensorflow as tf

from preprocessing import preprocessing_factory as factory

# A net of each mode, by the recipe's name.
_PREPROCESS_INPUT = {
    "keras_caffe": tf.keras.applications.resnet.preprocess_input,
    "keras_imagenet": tf.keras.applications.densenet.preprocess_input,
    "keras_tf": tf.keras.applications.inception_v3.preprocess_input,
}


@pytest.mark.parametrize("name", _PREPROCESS_INPUT)
def test_equals_keras(name, run, photo):
    fn = factory.get_preprocessing(name, is_training=False)
    resized = tf.keras.layers.Resizing(64, 96)(photo.astype(np.float32))
    expected = _PREPROCESS_INPUT[name](np.array(resized))
    result = run(lambda image: fn(image, 64, 96), photo)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("keras_caffe", [-103.939, 11.221, 131.32]),  # blue, green, red
        ("keras_imagenet", [(1 - 0.485) / 0.229, 0.2052, -0.406 / 0.225]),
        ("keras_tf", [1.0, 0.00392157, -1.0]),
    ],
)
def test_a_colour_by_hand(name, expected):
    image = np.full([3, 5, 3], [255, 128, 0], np.uint8)
    fn = factory.get_preprocessing(name, is_training=False)
    result = fn(image, 2, 2)
    np.testing.assert_allclose(result, np.broadcast_to(expected, [2, 2, 3]), atol=1e-4)


@pytest.mark.parametrize("name", _PREPROCESS_INPUT)
def test_training_keeps_the_mode(name):
    image = np.full([30, 50, 3], [200, 100, 50], np.uint8)
    seed = tf.constant([1, 2], tf.int64)
    train = factory.get_preprocessing(name, is_training=True)
    expected = _PREPROCESS_INPUT[name](np.full([8, 8, 3], [200.0, 100.0, 50.0]))
    np.testing.assert_allclose(train(image, 8, 8, seed), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("keras_caffe", 100 - 117.378),  # luma of the means
        ("keras_imagenet", (100 - 117.025) / 57.524),
        ("keras_tf", 100 / 127.5 - 1),
    ],
)
def test_gray_is_luma(name, expected):
    image = np.full([3, 5, 1], 100, np.uint8)
    fn = factory.get_preprocessing(name, is_training=False, use_grayscale=True)
    np.testing.assert_allclose(fn(image, 2, 2), np.full([2, 2, 1], expected), rtol=2e-3)
