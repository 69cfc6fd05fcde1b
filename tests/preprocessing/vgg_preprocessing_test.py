"""The VGG recipe: hand-worked numbers, parity with the plain ops, properties."""

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from errors import UserError
from preprocessing import image_ops
from preprocessing import vgg_preprocessing as vgg

_MEANS = np.array([123.68, 116.78, 103.94], np.float32)


@pytest.mark.parametrize(
    ("size", "sides"),
    [
        ((224, 224), (256, 512)),
        ((32, 48), (256, 512)),
        ((256, 256), (256, 512)),  # fits exactly, as in the original
        ((257, 257), (294, 587)),  # 256 * 257 / 224 = 293.71, 587.43
        ((299, 299), (342, 683)),  # 341.71, 683.43
        ((224, 299), (342, 683)),
        ((331, 331), (378, 757)),  # 378.29, 756.57
    ],
)
def test_resize_sides(size, sides):
    assert vgg.resize_sides(*size) == sides


def test_evaluation_takes_the_middle_window():
    # 3 x 4 grows to 256 x 341: the window starts at (16, 58).
    image = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    whole = tf.compat.v1.image.resize(image, [256, 341]).numpy()
    output = vgg.evaluate(image, 224, 224)
    np.testing.assert_array_equal(output, whole[16:240, 58:282] - _MEANS)


def test_a_flat_image_is_its_colour_less_the_means():
    image = np.full([10, 30, 3], [200, 100, 0], np.uint8)
    output = vgg.evaluate(image, 8, 8)
    expected = np.array([76.32, -16.78, -103.94])
    np.testing.assert_allclose(output, np.broadcast_to(expected, [8, 8, 3]), rtol=1e-5)


def test_gray_takes_the_luma_of_the_means_off():
    black = np.zeros([10, 30, 3], np.uint8)
    output = vgg.evaluate(black, 8, 8, use_grayscale=True)
    assert output.shape == (8, 8, 1)
    luma = 0.2989 * 123.68 + 0.5870 * 116.78 + 0.1140 * 103.94  # 117.37
    np.testing.assert_allclose(output, np.full([8, 8, 1], -luma), rtol=1e-5)


@pytest.mark.parametrize("size", [(256, 256), (299, 299), (331, 331), (64, 300)])
def test_evaluation_covers_large_windows(size, photo):
    output = vgg.evaluate(photo, *size).numpy()
    side, _ = vgg.resize_sides(*size)
    whole = tf.compat.v1.image.resize(photo, [side, round(side * 500 / 375)]).numpy()
    top = (whole.shape[0] - size[0]) // 2
    left = (whole.shape[1] - size[1]) // 2
    window = whole[top : top + size[0], left : left + size[1]]
    np.testing.assert_array_equal(output, window - _MEANS)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("height", "width"), [(224, 224), (299, 320)])
def test_training_is_an_exact_window_of_the_resized_image(seed, height, width, photo):
    seed = tf.constant([seed, 7], tf.int64)
    draws = vgg.draw(tf.shape(photo), height, width, seed)
    whole = tf.compat.v1.image.resize(photo, draws.full_size).numpy()
    top, left = (int(start) for start in draws.corner)
    window = whole[top : top + height, left : left + width]
    window = window[:, ::-1] if draws.flip else window
    output = vgg.train(photo, height, width, seed)
    np.testing.assert_array_equal(output, window - _MEANS)


def _draws(count, image_shape, crop):
    """Gives `count` rows of shorter side, longer side, top, left and flip."""

    def row(index):
        (rows, columns), (top, left), flip = vgg.draw(
            tf.constant([*image_shape, 3]), crop, crop, tf.stack([index, index])
        )
        return tf.stack([rows, columns, top, left, tf.cast(flip, tf.int32)])

    dataset = tf.data.Dataset.range(count).map(row).batch(count)
    return next(iter(dataset)).numpy().T


@pytest.mark.parametrize(
    ("crop", "least", "greatest"), [(224, 256, 512), (299, 342, 683)]
)
def test_draws_are_uniform_over_what_they_may_be(crop, least, greatest):
    rows, columns, top, left, flip = _draws(4000, (120, 150), crop)
    assert (rows.min(), rows.max()) == (least, greatest)
    assert abs(rows.mean() - (least + greatest) / 2) < 0.02 * (greatest - least)
    assert (np.abs(columns - rows * 1.25) <= 0.5).all()
    for start, length in [(top, rows), (left, columns)]:
        place = start / (length - crop)
        assert (place.min(), place.max()) == (0.0, 1.0)
        assert abs(place.mean() - 0.5) < 0.025
    assert abs(flip.mean() - 0.5) < 0.04
    correlation = np.corrcoef(
        [rows, top / (rows - crop), left / (columns - crop), flip]
    )
    assert np.abs(correlation - np.eye(4)).max() < 0.07


def test_rows_and_columns_are_drawn_apart():
    _, _, top, left, _ = _draws(500, (100, 100), 224)
    assert (top == left).mean() < 0.1


def test_the_seed_alone_decides(photo):
    output = {
        seed: vgg.train(photo, 32, 32, tf.constant(seed, tf.int64)).numpy()
        for seed in [(0, 0), (0, 1), (1, 0), (2**40, 0)]
    }
    for seed, image in output.items():
        again = vgg.train(photo, 32, 32, tf.constant(seed, tf.int64))
        np.testing.assert_array_equal(image, again)
    assert len({image.tobytes() for image in output.values()}) == len(output)


@tf.function(
    input_signature=[
        tf.TensorSpec([None, None, 3], tf.uint8),
        tf.TensorSpec([2], tf.int64),
    ]
)
def _both(image, seed):
    return vgg.train(image, 300, 29, seed), vgg.evaluate(image, 300, 29)


@hypothesis.settings(deadline=None, max_examples=60)
@hypothesis.example(1, 600, 0)
@hypothesis.example(600, 1, 0)
@hypothesis.example(1, 1, 0)
@hypothesis.given(
    st.integers(1, 600), st.integers(1, 600), st.integers(-(2**63), 2**63 - 1)
)
def test_every_size_gives_colours_of_the_image_less_the_means(height, width, seed):
    image = np.random.default_rng(0).integers(0, 256, [height, width, 3], np.uint8)
    least, greatest = image.min(axis=(0, 1)), image.max(axis=(0, 1))
    for output in _both(image, tf.constant([seed, 1], tf.int64)):
        assert output.shape == (300, 29, 3)
        colours = output.numpy() + _MEANS
        assert (colours >= least - 1e-3).all()
        assert (colours <= greatest + 1e-3).all()


def test_one_channel_is_gray_rgb(photo):
    one = vgg.evaluate(photo[..., :1], 50, 50)
    three = vgg.evaluate(np.repeat(photo[..., :1], 3, axis=-1), 50, 50)
    np.testing.assert_array_equal(one, three)


def test_windows_grow_in_step_with_the_resized_image(photo):
    """A crop of 299 must show as much of the photograph as one of 224."""
    shown = []
    for crop in (224, 299, 331):
        side, _ = vgg.resize_sides(crop, crop)
        height, _ = image_ops.shorter_side_size(tf.shape(photo), side)
        shown.append(crop / int(height))
    np.testing.assert_allclose(shown, 0.875, atol=0.002)


def test_slims_name_of_both(photo):
    np.testing.assert_array_equal(
        vgg.preprocess_image(photo, 224, 224), vgg.evaluate(photo, 224, 224)
    )
    np.testing.assert_array_equal(
        vgg.preprocess_image(photo, 50, 60, resize_side_min=64),
        vgg.evaluate(photo, 50, 60, side=64),
    )
    gray = vgg.preprocess_image(photo, 24, 32, is_training=True, use_grayscale=True)
    assert gray.shape == (24, 32, 1)


def test_sides_of_ones_own():
    """All three as large as the image: it comes whole, or mirrored."""
    image = np.zeros([64, 64, 3], np.uint8)
    image[:, 20] = 255
    output = vgg.preprocess_image(
        image, 64, 64, is_training=True, resize_side_min=64, resize_side_max=64
    )
    columns = np.flatnonzero(output.numpy()[0, :, 0] > 0)
    assert columns.tolist() in ([20], [43])


@pytest.mark.parametrize(("least", "greatest"), [(256, None), (400, 300)])
def test_sides_that_cannot_be(least, greatest, photo):
    with pytest.raises(UserError, match=f"resize_side_min={least}, resize_side_max="):
        vgg.preprocess_image(
            photo, 299, 299, resize_side_min=least, resize_side_max=greatest
        )
