"""The CifarNet recipe: hand-worked numbers, windows, draws."""

import numpy as np
import pytest
import tensorflow as tf

from preprocessing import cifarnet_preprocessing as cifarnet


def _seed(value):
    return tf.constant([value, 7], tf.int64)


def _standardized(image):
    image = image.astype(np.float64)
    return (image - image.mean()) / max(image.std(), 1 / np.sqrt(image.size))


def test_evaluation_standardizes_by_hand():
    # Mean 60, deviation sqrt((60² + 20² + 20² + 60²) / 4) = 44.72.
    image = np.array([[[0], [40]], [[80], [120]]], np.uint8)
    output = cifarnet.evaluate(image, 2, 2)
    expected = np.array([[-1.3416, -0.4472], [0.4472, 1.3416]])
    np.testing.assert_allclose(output[..., 0], expected, atol=1e-4)


def test_a_flat_image_is_zero():
    output = cifarnet.evaluate(np.full([32, 32, 3], 77, np.uint8), 32, 32)
    np.testing.assert_array_equal(output, np.zeros([32, 32, 3]))


def test_evaluation_of_an_oblong_window_is_its_middle(photo):
    # slim swaps height and width here.
    output = cifarnet.evaluate(photo, 100, 300).numpy()
    window = photo[137:237, 100:400]
    np.testing.assert_allclose(output, _standardized(window), atol=1e-4)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("size", [(32, 32), (20, 24), (28, 36), (64, 10), (9, 80)])
def test_training_is_a_window_of_the_image_with_its_margin(seed, size, small_image):
    height, width = size
    rows, columns = max(0, height - 28), max(0, width - 32)  # 20 x 24 and margins of 4
    sides = [
        [4 + rows // 2, 4 + rows - rows // 2],
        [4 + columns // 2, 4 + columns - columns // 2],
    ]
    padded = np.pad(small_image, [*sides, [0, 0]]).astype(np.float64)
    draws = cifarnet.draw(tf.constant(padded.shape), height, width, _seed(seed))
    top, left = (int(start) for start in draws.corner)
    window = padded[top : top + height, left : left + width]
    window = window[:, ::-1] if draws.flip else window
    window = window + float(draws.brightness)
    mean = window.mean(axis=(0, 1))
    window = (window - mean) * float(draws.contrast) + mean
    output = cifarnet.train(small_image, height, width, _seed(seed))
    np.testing.assert_allclose(output, _standardized(window), atol=1e-4)


def test_draws_are_uniform_over_what_they_may_be():
    def row(index):
        draws = cifarnet.draw(tf.constant([40, 40, 3]), 32, 32, tf.stack([index, 1]))
        return tf.stack([tf.cast(x, tf.float32) for x in tf.nest.flatten(draws)])

    dataset = tf.data.Dataset.range(4000).map(row).batch(4000)
    top, left, flip, brightness, contrast = next(iter(dataset)).numpy().T
    for start in (top, left):
        assert set(start) == set(range(9))
        assert abs(start.mean() - 4) < 0.15
    assert abs(flip.mean() - 0.5) < 0.04
    assert -63 <= brightness.min() < -62
    assert 62 < brightness.max() < 63
    assert 0.2 <= contrast.min() < 0.21
    assert 1.79 < contrast.max() < 1.8
    assert abs(brightness.mean()) < 3
    assert abs(contrast.mean() - 1) < 0.03
    correlation = np.corrcoef([top, left, flip, brightness, contrast])
    assert np.abs(correlation - np.eye(5)).max() < 0.07


def test_the_seed_alone_decides(photo):
    one, again, other = (cifarnet.train(photo, 32, 32, _seed(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.1


def test_slims_name_of_both(photo):
    np.testing.assert_array_equal(
        cifarnet.preprocess_image(photo, 28, 32), cifarnet.evaluate(photo, 28, 32)
    )
    output = cifarnet.preprocess_image(
        photo, 28, 32, is_training=True, use_grayscale=True, add_image_summaries=False
    )
    assert output.shape == (28, 32, 1)
