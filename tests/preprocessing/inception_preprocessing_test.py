"""The Inception recipe: hand-worked numbers, parity in NumPy, then properties."""

import functools

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from preprocessing import inception_draws
from preprocessing import inception_preprocessing as inception

_ROOM = 2.0  # pixels by which rounding may move the side of a crop


def _seeds(count):
    return tf.stack([tf.range(count, dtype=tf.int64)] * 2, axis=1)


def _draws(height, width, count):
    """Gives `count` draws, stacked, for images of one size."""
    draw = functools.partial(inception_draws.draw, tf.constant([height, width, 3]))
    dataset = tf.data.Dataset.from_tensor_slices(_seeds(count)).map(draw).batch(count)
    return inception_draws.Draws(*(part.numpy() for part in next(iter(dataset))))


@pytest.mark.parametrize(
    ("side", "first", "last"),
    [
        (1, 0, 0),
        (15, 0, 14),  # floor(15 * 0.125 / 2 = 0.94): nothing is cut
        (16, 1, 14),  # floor(1.0)
        (20, 1, 18),  # floor(1.25)
        (375, 23, 351),  # floor(23.44)
    ],
)
def test_evaluation_keeps_the_middle(side, first, last):
    image = np.zeros([side, side, 3], np.uint8)
    image[first, first] = 255
    image[last, last] = 51
    kept = last - first + 1
    output = inception.evaluate(image, kept, kept).numpy()
    expected = np.where(image[first : last + 1, first : last + 1] > 0, 1.0, -1.0)
    expected[-1, -1] = -0.6  # 51 / 255 = 0.2
    np.testing.assert_allclose(output, expected, atol=1e-6)


def _resize(image, height, width):
    """Bilinear, top left aligned, in float64."""

    def along(image, size):
        position = np.arange(size) * (len(image) / size)
        low = np.floor(position).astype(int)
        weight = (position - low)[:, None, None]
        high = np.minimum(low + 1, len(image) - 1)
        return image[low] * (1 - weight) + image[high] * weight

    return along(along(image, height).swapaxes(0, 1), width).swapaxes(0, 1)


def _scale_saturation(image, factor):
    """Scales S of HSV, held to [0, 1]; H and V stay."""
    value = image.max(axis=-1, keepdims=True)
    spread = value - image.min(axis=-1, keepdims=True)
    positive = np.maximum(value, 1e-12)
    saturation = np.where(value > 0, spread / positive, 0.0)
    scaled = np.clip(saturation * factor, 0.0, 1.0)
    safe_spread = np.where(spread > 0, spread, 1.0)
    return value * (1 - scaled * (value - image) / safe_spread)


@pytest.mark.parametrize("seed", range(12))
def test_training_equals_the_formulas_on_the_same_draws(seed, photo):
    seed = tf.constant([seed, 7], tf.int64)
    draws = inception_draws.draw(tf.shape(photo), seed)
    top, left, _ = draws.begin.numpy()
    height, width, _ = draws.size.numpy()
    expected = photo[top : top + height, left : left + width] / 255.0
    expected = _resize(expected, 70, 60)
    expected = expected[:, ::-1] if draws.flip else expected
    expected = expected + float(draws.brightness)
    expected = _scale_saturation(expected, float(draws.saturation))
    expected = np.clip(expected, 0.0, 1.0) * 2.0 - 1.0
    output = inception.train(photo, 70, 60, seed)
    np.testing.assert_allclose(output, expected, atol=1e-4)


def test_brightness_is_not_clipped_before_saturation(photo):
    """The seeds above must include what tells the two orders apart."""
    draws = [
        inception_draws.draw(tf.shape(photo), tf.constant([seed, 7], tf.int64))
        for seed in range(12)
    ]
    assert any(d.brightness > 0.05 and d.saturation > 1.1 for d in draws)
    assert any(d.brightness < -0.05 and d.saturation < 0.9 for d in draws)
    assert {bool(d.flip) for d in draws} == {False, True}


def test_gray_training_is_the_luma_of_colour_training(photo):
    seed = tf.constant([1, 2], tf.int64)
    colour = inception.train(photo, 50, 50, seed).numpy()
    gray = inception.train(photo, 50, 50, seed, use_grayscale=True).numpy()
    luma = (colour / 2 + 0.5) @ [0.2989, 0.5870, 0.1140]
    np.testing.assert_allclose(gray[..., 0], luma * 2 - 1, atol=1e-5)


def test_one_channel_stays_gray(photo):
    output = inception.train(photo[..., :1], 50, 50, tf.constant([1, 2], tf.int64))
    np.testing.assert_allclose(output, output[..., :1] * tf.ones([3]), atol=1e-6)


def test_crops_keep_to_area_and_aspect():
    draws = _draws(375, 500, 2000)
    top, left, _ = draws.begin.T
    height, width, _ = draws.size.T
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + height <= 375).all()
    assert (left + width <= 500).all()
    assert (width >= 0.75 * height - _ROOM).all()
    assert (width <= 1.33 * height + _ROOM).all()
    area = height * width / (375 * 500)
    # A crop must cover a tenth of the object, which is the whole image.
    assert 0.095 < area.min() < 0.15
    assert area.max() > 0.9


def test_draws_have_the_stated_distributions():
    draws = _draws(375, 500, 2000)
    assert abs(draws.flip.mean() - 0.5) < 0.05  # 4.5 standard deviations
    for values, bound in [
        (draws.brightness, (-32 / 255, 32 / 255)),
        (draws.saturation, (0.5, 1.5)),
    ]:
        spread = bound[1] - bound[0]
        assert bound[0] <= values.min() < bound[0] + 0.01 * spread
        assert bound[1] - 0.01 * spread < values.max() <= bound[1]
        assert abs(values.mean() - np.mean(bound)) < 0.03 * spread


def test_decisions_are_independent():
    draws = _draws(375, 500, 2000)
    table = np.stack(
        [
            draws.begin[:, 0],
            draws.size[:, 1],
            draws.flip,
            draws.brightness,
            draws.saturation,
        ]
    )
    correlation = np.corrcoef(table)[2:]  # crop place and size do depend on each other
    off_diagonal = correlation[~np.eye(3, 5, 2, dtype=bool)]
    assert np.abs(off_diagonal).max() < 0.1


def test_the_seed_alone_decides(photo):
    output = {
        seed: inception.train(photo, 32, 32, tf.constant(seed, tf.int64)).numpy()
        for seed in [(0, 0), (0, 1), (1, 0), (2**40, 0)]
    }
    for seed, image in output.items():
        again = inception.train(photo, 32, 32, tf.constant(seed, tf.int64))
        np.testing.assert_array_equal(image, again)
    assert len({image.tobytes() for image in output.values()}) == len(output)


@tf.function(
    input_signature=[
        tf.TensorSpec([None, None, 3], tf.uint8),
        tf.TensorSpec([2], tf.int64),
    ]
)
def _both(image, seed):
    return inception.train(image, 31, 29, seed), inception.evaluate(image, 31, 29)


@hypothesis.settings(deadline=None, max_examples=60)
@hypothesis.given(
    st.integers(1, 600), st.integers(1, 600), st.integers(-(2**63), 2**63 - 1)
)
def test_every_size_gives_values_from_minus_one_to_one(height, width, seed):
    image = np.random.default_rng(0).integers(0, 256, [height, width, 3], np.uint8)
    for output in _both(image, tf.constant([seed, 1], tf.int64)):
        assert output.shape == (31, 29, 3)
        assert np.abs(output).max() <= 1.0


def test_slims_name_of_both(photo):
    np.testing.assert_array_equal(
        inception.preprocess_image(photo, 30, 40), inception.evaluate(photo, 30, 40)
    )
    gray = inception.preprocess_image(
        photo, 30, 40, is_training=True, fast_mode=False, use_grayscale=True
    )
    assert gray.shape == (30, 40, 1)
    assert -1 <= tf.reduce_min(gray) < tf.reduce_max(gray) <= 1


def test_without_a_crop():
    """The corners stay, in training as in evaluation."""
    image = np.zeros([16, 16, 3], np.uint8)
    image[0, 0] = image[-1, -1] = 255
    output = inception.preprocess_image(image, 16, 16, crop_image=False).numpy()
    np.testing.assert_allclose(output, image / 127.5 - 1, atol=1e-6)
    trained = inception.preprocess_image(
        image, 16, 16, is_training=True, crop_image=False, add_image_summaries=False
    ).numpy()
    bright = trained[..., 0] > 0.5
    assert bright.sum() == 2
    assert bright[0, 0] == bright[-1, -1] != bright[0, -1] == bright[-1, 0]


def test_crops_hold_a_tenth_of_a_box():
    box = np.array([0.7, 0.1, 0.9, 0.5], np.float32)
    draw = functools.partial(
        inception_draws.draw,
        tf.constant([200, 300, 3]),
        bbox=tf.constant(box[None, None]),
    )
    dataset = tf.data.Dataset.from_tensor_slices(_seeds(300)).map(draw).batch(300)
    draws = next(iter(dataset))
    begin, size = draws.begin.numpy()[:, :2], draws.size.numpy()[:, :2]
    low, high = box[:2] * [200, 300], box[2:] * [200, 300]
    sides = np.minimum(begin + size, high) - np.maximum(begin, low)
    shares = np.prod(np.maximum(sides, 0), axis=1) / np.prod(high - low)
    assert shares.min() >= 0.09
    assert shares.min() < 0.5


@pytest.mark.parametrize("fast_mode", [True, False])
def test_modes_run_eagerly_and_in_tf_data(fast_mode, photo, run):
    seed = tf.constant([3, 5], tf.int64)
    fn = functools.partial(
        inception.train, output_height=20, output_width=24, seed=seed
    )
    expected = fn(photo, fast_mode=fast_mode)
    output = run(lambda image: fn(image, fast_mode=fast_mode), photo)
    np.testing.assert_allclose(output, expected, atol=1e-5)
