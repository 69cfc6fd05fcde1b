"""The torchvision recipe against Pillow, whose pixels torchvision takes."""

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from preprocessing import normalization
from preprocessing import torchvision_preprocessing as torchvision

_MEAN = np.array([0.485, 0.456, 0.406])
_DEVIATION = np.array([0.229, 0.224, 0.225])
# Leaves the pixels as they are.
_RAW = normalization.Colors((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def _seed(value):
    return tf.constant([value, 3], tf.int64)


def _pillow(image, height, width, box=None):
    resized = PIL.Image.fromarray(image).resize(
        (width, height), PIL.Image.Resampling.BILINEAR, box
    )
    return np.asarray(resized).astype(np.float64)


def _smooth(height, width):
    """A photograph-like image: slopes and an edge."""
    rows, columns = np.mgrid[:height, :width]
    red = 255 * rows / (height - 1)
    green = 127 + 120 * np.sin(columns / 9)
    blue = np.where(rows + columns > (height + width) / 2, 240, 15)
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


@pytest.mark.parametrize(
    ("size", "output", "resized", "corner"),
    [
        ((375, 500), 224, (256, 341), (16, 58)),  # 117 / 2 = 58.5 goes to 58
        ((500, 375), 224, (341, 256), (58, 16)),
        ((375, 500), 299, (342, 456), (22, 78)),  # 43 / 2 = 21.5 goes to 22
        ((100, 101), 224, (256, 258), (16, 17)),  # 258.56 is cut off
        ((300, 100), 32, (111, 37), (40, 2)),  # 79 / 2, 5 / 2
    ],
)
def test_evaluation_equals_pillow(size, output, resized, corner, run):
    image = _smooth(*size)
    top, left = corner
    window = _pillow(image, *resized)[top : top + output, left : left + output]
    result = run(lambda x: torchvision.evaluate(x, output, output), image)
    pixels = (result * _DEVIATION + _MEAN) * 255
    assert np.abs(pixels - window).max() < 1.001  # a half rounded the other way
    assert (np.abs(pixels - window) > 0.001).mean() < 0.01


def test_noise_too(photo):
    window = _pillow(photo, 256, 341)[16:240, 58:282]
    result = torchvision.evaluate(photo, 224, 224).numpy()
    pixels = (result * _DEVIATION + _MEAN) * 255
    assert (np.abs(pixels - window) > 0.001).mean() < 1e-3


def test_a_flat_image_is_its_colour_normalized():
    image = np.full([10, 30, 3], [255, 128, 0], np.uint8)
    expected = [(1 - 0.485) / 0.229, (128 / 255 - 0.456) / 0.224, -0.406 / 0.225]
    result = torchvision.evaluate(image, 8, 8)
    np.testing.assert_allclose(result, np.broadcast_to(expected, [8, 8, 3]), rtol=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_training_is_a_resized_crop(seed):
    image = _smooth(375, 500)
    draws = torchvision.draw(tf.constant(image.shape), _seed(seed))
    top, left, height, width = (int(x) for x in (*draws.corner, *draws.size))
    crop = image[top : top + height, left : left + width]
    expected = _pillow(crop, 96, 64)
    expected = expected[:, ::-1] if draws.flip else expected
    result = torchvision.train(image, 96, 64, _seed(seed), colors=_RAW).numpy()
    assert np.abs(result - expected).max() < 1.001
    assert (result != expected).mean() < 0.01


def _draws(shape, count=3000):
    """`count` rows of top, left, height, width and flip."""

    def row(index):
        draws = torchvision.draw(tf.constant([*shape, 3]), tf.stack([index, index]))
        values = [*draws.corner, *draws.size, tf.cast(draws.flip, tf.int32)]
        return tf.stack(values)

    dataset = tf.data.Dataset.range(count).map(row).batch(count)
    return next(iter(dataset)).numpy().T.astype(np.float64)


def test_draws_follow_area_and_aspect():
    top, left, height, width, flip = _draws((600, 600))
    area, aspect = height * width / 360000, np.log(width / height)
    assert 0.079 < area.min() < 0.09
    assert 0.9 < area.max() <= 1
    # Crops of a large area and a far aspect do not fit, and are drawn again.
    small = area < 0.5
    assert abs(area[small].mean() - 0.29) < 0.01
    assert abs(aspect[small].mean()) < 0.02
    assert abs(aspect[small].std() - 2 * np.log(4 / 3) / np.sqrt(12)) < 0.01
    for start, length in ((top, height), (left, width)):
        assert (start >= 0).all()
        assert (start + length <= 600).all()
        place = start[small] / (600 - length[small])
        assert abs(place.mean() - 0.5) < 0.03
    assert abs(flip.mean() - 0.5) < 0.03


@pytest.mark.parametrize(
    ("shape", "window"),
    [
        ((20, 2000), (0, 986, 20, 27)),  # 20 * 4/3 = 26.67
        ((2000, 30), (980, 0, 40, 30)),  # 30 / (3/4)
    ],
)
def test_a_far_aspect_gives_the_largest_middle_window(shape, window):
    # Areas from 8 % on never fit at an allowed aspect.
    rows = _draws(shape, 20)[:4].T
    np.testing.assert_array_equal(rows, np.broadcast_to(window, rows.shape))


def test_one_pixel_gives_itself():
    image = np.array([[[10, 20, 30]]], np.uint8)
    result = torchvision.train(image, 4, 4, _seed(0), colors=_RAW)
    np.testing.assert_array_equal(result, np.broadcast_to([10, 20, 30], [4, 4, 3]))


def test_the_seed_alone_decides(photo):
    one, again, other = (torchvision.train(photo, 32, 32, _seed(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.1
