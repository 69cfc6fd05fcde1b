"""The LeNet recipe: hand-worked numbers."""

import numpy as np
import tensorflow as tf

from preprocessing import lenet_preprocessing as lenet

_SEED = tf.constant([1, 2], tf.int64)


def test_values_by_hand():
    image = np.array([[[0], [64]], [[128], [255]]], np.uint8)
    expected = np.array([[[-1.0], [-0.5]], [[0.0], [0.9921875]]])
    np.testing.assert_array_equal(lenet.evaluate(image, 2, 2), expected)


def test_a_small_image_sits_amid_black():
    output = lenet.evaluate(np.full([1, 2, 1], 192, np.uint8), 3, 4).numpy()
    expected = np.full([3, 4, 1], -1.0)
    expected[1, 1:3] = 0.5
    np.testing.assert_array_equal(output, expected)


def test_a_large_image_gives_its_oblong_middle(photo):
    # slim swaps height and width here.
    output = lenet.evaluate(photo, 100, 300)
    expected = (photo[137:237, 100:400] - 128.0) / 128.0
    np.testing.assert_array_equal(output, expected)


def test_training_is_evaluation(photo):
    for gray in (False, True):
        np.testing.assert_array_equal(
            lenet.train(photo, 28, 28, _SEED, gray),
            lenet.evaluate(photo, 28, 28, gray),
        )


def test_slims_name_of_both(photo):
    np.testing.assert_array_equal(
        lenet.preprocess_image(photo, 28, 32), lenet.evaluate(photo, 28, 32)
    )
    output = lenet.preprocess_image(photo, 28, 32, is_training=True, use_grayscale=True)
    assert output.shape == (28, 32, 1)
