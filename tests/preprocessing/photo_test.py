"""Recipes ask photos for pixels, and images are photos too."""

import numpy as np
import pytest
import tensorflow as tf

from preprocessing import preprocessing_factory
from preprocessing.photo import DecodedPhoto, as_photo

SEED = tf.constant([3, 4], tf.int64)


class Spy(DecodedPhoto):
    """Notes what is asked for."""

    def __init__(self, image):
        super().__init__(image)
        self.asked = []

    def pixels(self, least_size=None):
        self.asked.append(("pixels", least_size))
        return super().pixels(least_size)

    def window(self, begin, size, least_size=None):
        self.asked.append(("window", least_size))
        return super().window(begin, size, least_size)


@pytest.mark.parametrize("is_training", [True, False])
@pytest.mark.parametrize("name", sorted(set(preprocessing_factory.RECIPES)))
def test_every_recipe_takes_a_photo_as_it_takes_an_image(name, is_training):
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (40, 50, 3), np.uint8)
    recipe = preprocessing_factory.get_preprocessing(name, is_training)
    spy = Spy(image)
    np.testing.assert_array_equal(
        recipe(spy, 20, 24, SEED), recipe(tf.constant(image), 20, 24, SEED)
    )
    ((_, least_size),) = spy.asked
    # Pixels may be averaged in training alone: evaluation is exact.
    assert is_training or least_size is None


def test_inception_asks_for_the_crop_at_twice_the_output():
    spy = Spy(np.zeros((40, 50, 3), np.uint8))
    preprocessing_factory.get_preprocessing("inception", True)(spy, 20, 24, SEED)
    assert spy.asked == [("window", (40, 48))]


def test_an_image_becomes_a_photo_and_a_photo_stays():
    image = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    photo = as_photo(image)
    assert photo.shape.numpy().tolist() == [4, 2, 3]
    np.testing.assert_array_equal(photo.pixels((1, 1)), image)
    window = photo.window(tf.constant([1, 0]), tf.constant([2, 1]), (1, 1))
    np.testing.assert_array_equal(window, image[1:3, :1])
    assert as_photo(photo) is photo
