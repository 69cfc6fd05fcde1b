"""Views of a photo whose pixels tell where they are."""

import types

import numpy as np
import tensorflow as tf

from engine.prediction import photo_views

SIZE = 14  # ten crops are cut out of 16 × 16


def _classifier():
    """Prepares any photo as a square in which the value at (y, x) is 100 y + x."""

    def preprocess(pixels, size=SIZE):
        y, x = np.mgrid[:size, :size]
        return tf.constant((100 * y + x)[..., np.newaxis], tf.float32)

    info = types.SimpleNamespace(image_size=SIZE)
    return types.SimpleNamespace(preprocess=preprocess, info=info)


def _views(*tta):
    return photo_views.views(_classifier(), tf.zeros([1, 1, 1]), tta).numpy()


def test_the_photo_alone():
    assert _views().shape == (1, SIZE, SIZE, 1)


def test_flip_is_the_photo_and_its_mirror_image():
    photo, mirrored = _views("flip")
    assert photo[3, 0, 0] == 300
    np.testing.assert_array_equal(mirrored, photo[:, ::-1])


def test_ten_crops_are_corners_and_centre_then_mirrored():
    crops = _views("ten_crop")
    assert crops.shape == (10, SIZE, SIZE, 1)
    assert crops[:5, 0, 0, 0].tolist() == [0, 2, 200, 202, 101]
    np.testing.assert_array_equal(crops[5:], crops[:5, :, ::-1])


def test_both_are_twelve():
    both = _views("flip", "ten_crop")
    np.testing.assert_array_equal(both[:2], _views("flip"))
    np.testing.assert_array_equal(both[2:], _views("ten_crop"))
