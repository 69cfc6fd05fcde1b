"""Random erasing: one rectangle of zeros, drawn as the paper says."""

import numpy as np
import tensorflow as tf

from preprocessing import random_erasing


def _erased(count, probability, size=(50, 80)):
    """`count` masks, [count, height, width], True where the image was blanked."""
    image = tf.ones([*size, 3])
    dataset = tf.data.Dataset.range(count).map(
        lambda i: random_erasing.random_erasing(image, tf.stack([i, 3]), probability)
    )
    outputs = np.stack([output.numpy() for output in dataset])
    assert set(np.unique(outputs)) <= {0.0, 1.0}
    assert (outputs == outputs[..., :1]).all()  # all channels
    return outputs[..., 0] == 0


def test_a_rectangle_of_the_papers_area_and_aspect():
    masks = _erased(400, 1.0)
    rows, columns = masks.any(axis=2), masks.any(axis=1)
    height, width = rows.sum(axis=1), columns.sum(axis=1)
    assert (masks.sum(axis=(1, 2)) == height * width).all()  # without holes
    area = height * width / 4000
    assert 0.015 < area.min() < 0.03
    assert 0.35 < area.max() < 0.41
    assert abs(area.mean() - 0.2) < 0.02
    aspect = np.log(width / height)
    assert np.abs(aspect).max() < np.log(1 / 0.3) + 0.15  # sides are whole pixels
    top = rows.argmax(axis=1) / np.maximum(50 - height, 1)
    left = columns.argmax(axis=1) / np.maximum(80 - width, 1)
    assert abs(top.mean() - 0.5) < 0.06
    assert abs(left.mean() - 0.5) < 0.06
    assert abs(np.corrcoef(top, left)[0, 1]) < 0.15


def test_probability():
    assert not _erased(50, 0.0).any()
    share = _erased(800, 0.25).any(axis=(1, 2)).mean()
    assert abs(share - 0.25) < 0.06


def test_an_image_that_no_rectangle_fits_stays():
    assert not _erased(5, 1.0, size=(1, 900)).any()


def test_pixels_outside_stay_and_the_seed_alone_decides(photo):
    image = tf.cast(photo[:40, :60], tf.float32) + 1
    seed = tf.constant([4, 2], tf.int64)
    one = random_erasing.random_erasing(image, seed, 1.0).numpy()
    np.testing.assert_array_equal(one, random_erasing.random_erasing(image, seed, 1.0))
    outside = one != 0
    assert 0 < outside.mean() < 1
    np.testing.assert_array_equal(one[outside], image.numpy()[outside])


def test_sizes_may_be_unknown():
    dataset = tf.data.Dataset.from_generator(
        lambda: iter([np.ones([9, 7, 3], np.float32)]),
        output_signature=tf.TensorSpec([None, None, 3]),
    ).map(lambda x: random_erasing.random_erasing(x, tf.constant([1, 2]), 1.0))
    assert next(iter(dataset)).shape == (9, 7, 3)
