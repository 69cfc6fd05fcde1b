"""The names and arguments of slim's preprocessing, for code written against them."""

import numpy as np
import pytest
import tensorflow as tf

from errors import UserError
from preprocessing import (
    cifarnet_preprocessing,
    inception_preprocessing,
    vgg_preprocessing,
)
from preprocessing import preprocessing_factory as factory

BOX = np.array([[[0, 0, 1, 1]]], np.float32)


@pytest.fixture(autouse=True)
def seeded():
    tf.random.set_seed(3)


def flat(value, shape=(60, 80, 3)):
    return tf.constant(np.full(shape, value, np.uint8))


def test_inception_for_training():
    output = inception_preprocessing.preprocess_for_train(flat(255), 20, 24, BOX)
    assert output.shape == (20, 24, 3)
    assert np.abs(output).max() <= 1
    # Without a crop a mark in the corner stays, on one side or the other.
    marked = np.zeros((60, 80, 3), np.uint8)
    marked[:30] = 255
    output = inception_preprocessing.preprocess_for_train(
        marked, 60, 80, BOX, fast_mode=False, random_crop=False, use_grayscale=True
    )
    assert output.shape == (60, 80, 1)
    assert np.mean(output[:20]) > np.mean(output[40:])


def test_inception_for_evaluation():
    image = np.zeros((80, 80, 3), np.uint8)
    image[20:60, 20:60] = 255  # the middle half
    evaluate = inception_preprocessing.preprocess_for_eval
    np.testing.assert_array_equal(evaluate(image, 40, 40, central_fraction=0.5), 1)
    assert evaluate(image, 40, 40)[0, 0, 0] == -1
    whole = evaluate(image, 80, 80, central_fraction=None)
    np.testing.assert_array_equal(whole, (image / 255 - 0.5) * 2)
    np.testing.assert_array_equal(whole, evaluate(image, 80, 80, central_crop=False))


@pytest.mark.parametrize("fast_mode", [True, False])
@pytest.mark.parametrize("ordering", range(4))
def test_colours_are_distorted_within_range(fast_mode, ordering):
    image = tf.constant(np.random.default_rng(0).random((8, 8, 3), np.float32))
    output = inception_preprocessing.distort_color(image, ordering, fast_mode)
    assert output.shape == image.shape
    assert 0 <= np.min(output) < np.max(output) <= 1
    assert not np.allclose(output, image)


def test_an_order_that_is_none():
    with pytest.raises(ValueError, match="color_ordering=4"):
        inception_preprocessing.distort_color(tf.zeros([2, 2, 3]), 4, fast_mode=False)


def test_a_crop_and_its_box():
    image = tf.reshape(tf.range(60 * 80 * 3), [60, 80, 3])
    crop, box = inception_preprocessing.distorted_bounding_box_crop(
        image, BOX, area_range=(0.1, 0.3)
    )
    top, left, bottom, right = np.rint(box[0, 0] * [60, 80, 60, 80]).astype(int)
    np.testing.assert_array_equal(crop, image[top:bottom, left:right])
    assert 0.05 < crop.shape[0] * crop.shape[1] / (60 * 80) < 0.35


def test_a_case_is_drawn():
    drawn = {
        int(inception_preprocessing.apply_with_random_selector(10, tf.add, 3))
        for _ in range(40)
    }
    assert drawn == {10, 11, 12}


def test_vgg():
    means = np.array([123.68, 116.78, 103.94], np.float32)
    names = vgg_preprocessing
    assert (names._R_MEAN, names._G_MEAN, names._B_MEAN) == (123.68, 116.78, 103.94)
    assert (names._RESIZE_SIDE_MIN, names._RESIZE_SIDE_MAX) == (256, 512)
    train = names.preprocess_for_train(flat(100), 20, 24, 30, 40)
    np.testing.assert_allclose(train, np.broadcast_to(100 - means, (20, 24, 3)))
    halves = np.zeros((40, 40, 3), np.uint8)
    halves[:, 20:] = 100
    evaluate = names.preprocess_for_eval(halves, 20, 20, 20)
    np.testing.assert_allclose(evaluate[:, :9] + means, 0, atol=1e-4)
    np.testing.assert_allclose(evaluate[:, 10:] + means, 100, atol=1e-4)
    # A side above 512 is one that slim takes for evaluation.
    assert names.preprocess_for_eval(halves, 20, 20, 600).shape == (20, 20, 3)


def test_cifarnet():
    image = np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8)
    names = cifarnet_preprocessing
    for output in (
        names.preprocess_for_train(image, 8, 8, padding=0, add_image_summaries=False),
        names.preprocess_for_eval(image, 8, 8, add_image_summaries=False),
    ):
        assert output.shape == (8, 8, 3)
        np.testing.assert_allclose([np.mean(output), np.std(output)], [0, 1], atol=1e-5)
    flat_image = flat(7, (8, 8, 3))
    assert not np.any(names.preprocess_for_train(flat_image, 8, 8, padding=0))
    assert np.any(names.preprocess_for_train(flat_image, 16, 16, padding=4))


def test_keywords_reach_the_recipe_through_the_factory():
    halves = np.zeros((40, 40, 3), np.uint8)
    halves[:20] = 255
    inception = factory.get_preprocessing("inception_v3", is_training=True)
    output = inception(halves, 40, 40, fast_mode=True, crop_image=False)
    assert np.mean(output[:15]) > np.mean(output[25:])
    vgg = factory.get_preprocessing("vgg_16", is_training=False)
    assert vgg(halves, 20, 20, resize_side_min=20, resize_side_max=20).shape[0] == 20


def test_keywords_that_a_recipe_has_not():
    fn = factory.get_preprocessing("torchvision", is_training=True)
    with pytest.raises(UserError, match="takes no fast_mode: leave"):
        fn(flat(0), 20, 20, fast_mode=False)
    fn = factory.get_preprocessing("inception", is_training=True)
    with pytest.raises(UserError, match="takes no fast_mode with a seed"):
        fn(flat(0), 20, 20, tf.constant([1, 2], tf.int64), fast_mode=False)
