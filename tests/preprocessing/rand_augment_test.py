"""RandAugment: operators against Pillow and by hand, then the draws."""

import math

import numpy as np
import PIL.Image
import PIL.ImageEnhance
import PIL.ImageOps
import pytest
import tensorflow as tf

from preprocessing import rand_augment


def _seed(value):
    return tf.constant([value, 11], tf.int64)


def _apply(name, image, strength):
    strength = tf.constant(strength, tf.float32)
    return rand_augment.OPERATORS[name](tf.constant(image), strength).numpy()


@pytest.fixture
def picture(photo):
    """[60, 90, 3] uint8: noise around a slope, without the extremes."""
    slope = np.linspace(40, 200, 90)[None, :, None]
    return (0.15 * photo[:60, :90] + 0.8 * slope).astype(np.uint8)


_PILLOW = {
    "Brightness": lambda p, s: PIL.ImageEnhance.Brightness(p).enhance(1 + 0.9 * s),
    "Color": lambda p, s: PIL.ImageEnhance.Color(p).enhance(1 + 0.9 * s),
    "Contrast": lambda p, s: PIL.ImageEnhance.Contrast(p).enhance(1 + 0.9 * s),
    "Sharpness": lambda p, s: PIL.ImageEnhance.Sharpness(p).enhance(1 + 0.9 * s),
    "Posterize": lambda p, s: PIL.ImageOps.posterize(p, 8 - round(4 * abs(s))),
    "Solarize": lambda p, s: PIL.ImageOps.solarize(p, 255 * (1 - abs(s))),
    "AutoContrast": lambda p, s: PIL.ImageOps.autocontrast(p),
    "Equalize": lambda p, s: PIL.ImageOps.equalize(p),
}


@pytest.mark.parametrize("name", _PILLOW)
@pytest.mark.parametrize("strength", [-1.0, -0.3, 0.0, 0.3, 1.0])
def test_equals_pillow(name, strength, picture):
    pillow = PIL.Image.fromarray(picture)
    expected = np.asarray(_PILLOW[name](pillow, strength)).astype(int)
    difference = np.abs(_apply(name, picture, strength) - expected)
    # Where a product is a whole number, float32 may fall short of it.
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


@pytest.mark.parametrize("name", ["AutoContrast", "Equalize"])
def test_a_flat_image_stays(name):
    flat = np.full([4, 5, 3], 77, np.uint8)
    np.testing.assert_array_equal(_apply(name, flat, 1.0), flat)


def test_translation_by_hand():
    # 0.5 * 150/331 of 331 columns: 75 to the right.
    image = np.tile(np.arange(331, dtype=np.uint8)[None, :, None], [2, 1, 3])
    output = _apply("TranslateX", image, 0.5)
    assert (output[:, :75] == 128).all()
    np.testing.assert_array_equal(output[:, 75:], image[:, :-75])
    back = _apply("TranslateY", image.transpose(1, 0, 2), -0.5)
    assert (back[-75:] == 128).all()
    np.testing.assert_array_equal(back[:-75], image.transpose(1, 0, 2)[75:])


def test_shear_by_hand():
    # Row y reads column x + 0.3 y, row 10 three to the right.
    image = np.tile(np.arange(40, dtype=np.uint8)[None, :, None], [11, 1, 3])
    output = _apply("ShearX", image, 1.0)
    np.testing.assert_array_equal(output[0], image[0])
    np.testing.assert_array_equal(output[10, :37], image[10, 3:])
    assert (output[10, 38:] == 128).all()
    flipped = _apply("ShearY", image.transpose(1, 0, 2), 1.0)
    np.testing.assert_array_equal(flipped[:37, 10], image[10, 3:])


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_rotation_by_right_angles(turns, photo):
    square = photo[:41, :41]
    output = rand_augment.rotate(tf.constant(square), turns * math.pi / 2).numpy()
    # The rim may just leave the image by rounding.
    np.testing.assert_array_equal(
        output[1:-1, 1:-1], np.rot90(square, turns)[1:-1, 1:-1]
    )


def test_rotation_reaches_thirty_degrees(photo):
    square = tf.constant(photo[:41, :41])
    np.testing.assert_array_equal(
        _apply("Rotate", square, -1.0), rand_augment.rotate(square, -math.pi / 6)
    )


@pytest.mark.parametrize("name", rand_augment.OPERATORS)
def test_strength_zero_leaves_the_picture(name, picture):
    if name not in ("AutoContrast", "Equalize"):  # know no strength
        np.testing.assert_array_equal(_apply(name, picture, 0.0), picture)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("seed", range(4))
def test_shape_and_type_stay(channels, seed, picture):
    image = picture[..., :channels]

    def augment(x):
        return rand_augment.rand_augment(x, _seed(seed), num_ops=3, magnitude=30)

    signature = tf.TensorSpec([None, None, channels], tf.uint8)
    dataset = tf.data.Dataset.from_generator(
        lambda: iter([image]), output_signature=signature
    ).map(augment)
    assert dataset.element_spec == signature
    output = next(iter(dataset)).numpy()
    np.testing.assert_array_equal(output, augment(image))


def test_the_seed_alone_decides(picture):
    outputs = [
        rand_augment.rand_augment(picture, _seed(s)).numpy() for s in (1, 1, 2, 3, 4)
    ]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert len({output.tobytes() for output in outputs}) > 2


def test_every_operator_is_drawn_as_often_in_both_directions(monkeypatch):
    def marker(number):
        """Adds 2 n, and one more where it is forward."""
        return lambda image, strength: (
            image + tf.cast(2 * number, tf.uint8) + tf.cast(strength > 0, tf.uint8)
        )

    operators = {str(number): marker(number) for number in range(5)}
    monkeypatch.setattr(rand_augment, "OPERATORS", operators)
    image = tf.zeros([1, 1, 1], tf.uint8)
    dataset = tf.data.Dataset.range(2000).map(
        lambda i: rand_augment.rand_augment(image, tf.stack([i, 5]), num_ops=1)
    )
    counts = np.bincount([output.numpy().item() for output in dataset], minlength=10)
    assert counts.size == 10
    assert np.abs(counts - 200).max() < 60  # four deviations
