"""RandAugment: a few random operators, all of the same magnitude.

Cubuk et al., "RandAugment: Practical automated data augmentation with a reduced search
space", https://arxiv.org/abs/1909.13719. Operators and their ranges are torchvision's;
point and filter operators give Pillow's values, geometric ones are bilinear and fill
with gray, as the authors' code does.

It runs on the decoded image, before a recipe crops and normalizes it.
"""

import math
from collections.abc import Callable

import tensorflow as tf

MAX_MAGNITUDE = 30
_FILL = 128.0
_MAX_SHEAR = 0.3
_MAX_SHIFT = 150 / 331  # of a side
_MAX_ANGLE = math.radians(30)
_MAX_ENHANCEMENT = 0.9
_POSTERIZED_BITS = 4  # of 8

# Pillow's smoothing filter.
_SMOOTH = ((1, 1, 1), (1, 5, 1), (1, 1, 1))


def rand_augment(
    image: tf.Tensor, seed: tf.Tensor, num_ops: int = 2, magnitude: int = 9
) -> tf.Tensor:
    """Applies random operators to one image; a pure function of image and seed.

    Args:
      image: [height, width, 1 or 3] uint8.
      seed: [2] int64 for stateless random numbers.
      num_ops: number of operators applied in sequence; one may occur twice.
      magnitude: their strength, from 0 to `MAX_MAGNITUDE`; its sign is random for
        operators that have two directions.

    Returns:
      The image, same shape, uint8.
    """
    image = tf.convert_to_tensor(image)
    shape = image.shape
    which_seed, sign_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    uniform = tf.random.stateless_uniform
    indices = uniform([num_ops], which_seed, 0, len(OPERATORS), tf.int32)
    forward = uniform([num_ops], sign_seed) < 0.5
    level = magnitude / MAX_MAGNITUDE
    for index, strength in zip(
        tf.unstack(indices), tf.unstack(tf.where(forward, level, -level)), strict=True
    ):
        image = tf.switch_case(
            index,
            [
                lambda operator=operator, image=image, strength=strength: (
                    tf.ensure_shape(operator(image, strength), shape)
                )
                for operator in OPERATORS.values()
            ],
        )
    return image


def _identity(image: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    del strength
    return image


def _affine(image: tf.Tensor, *rows: list[float | tf.Tensor]) -> tf.Tensor:
    """Samples each output pixel where two rows of a matrix map (x, y, 1)."""
    transform = tf.stack([tf.cast(x, tf.float32) for row in rows for x in row])
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(image, tf.float32)[None],
        transforms=tf.concat([transform, [0.0, 0.0]], axis=0)[None],
        output_shape=tf.shape(image)[:2],
        fill_value=_FILL,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
    return tf.cast(tf.round(moved[0]), tf.uint8)


def _shear_x(image: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    return _affine(image, [1, _MAX_SHEAR * strength, 0], [0, 1, 0])


def _shear_y(image: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    return _affine(image, [1, 0, 0], [_MAX_SHEAR * strength, 1, 0])


def _translate_x(image: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    width = tf.cast(tf.shape(image)[1], tf.float32)
    return _affine(image, [1, 0, -_MAX_SHIFT * strength * width], [0, 1, 0])


def _translate_y(image: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    height = tf.cast(tf.shape(image)[0], tf.float32)
    return _affine(image, [1, 0, 0], [0, 1, -_MAX_SHIFT * strength * height])


def _rotate(image: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    return rotate(image, _MAX_ANGLE * strength)


def rotate(image: tf.Tensor, angle: tf.Tensor) -> tf.Tensor:
    """Rotates an image about its center, counterclockwise, by an angle in radians."""
    y, x = tf.unstack(tf.cast(tf.shape(image)[:2] - 1, tf.float32) / 2)
    cos, sin = tf.cos(angle), tf.sin(angle)
    return _affine(
        image, [cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y]
    )


def _blend(plain: tf.Tensor, image: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    """From `plain`, 1 ± 0.9 times the way to the image, as Pillow enhances."""
    plain = tf.cast(plain, tf.float32)
    factor = 1 + _MAX_ENHANCEMENT * strength
    blended = plain + factor * (tf.cast(image, tf.float32) - plain)
    return tf.cast(tf.clip_by_value(blended, 0.0, 255.0), tf.uint8)


def _luma(image: tf.Tensor) -> tf.Tensor:
    """Pillow's, [height, width, 1] int32 in [0, 255]."""
    image = tf.cast(image, tf.int32)
    if image.shape[-1] == 1:
        return image
    weighted = image * tf.constant([19595, 38470, 7471])
    return (tf.reduce_sum(weighted, axis=-1, keepdims=True) + 2**15) // 2**16


def _brightness(image: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    return _blend(tf.zeros_like(image), image, strength)


def _color(image: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    return _blend(_luma(image), image, strength)


def _contrast(image: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    mean = tf.reduce_mean(tf.cast(_luma(image), tf.float64))
    return _blend(tf.floor(mean + 0.5), image, strength)


def _sharpness(image: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    """Leaves the outermost pixels unchanged, which the filter does not reach."""
    channels = image.shape[-1]
    kernel = tf.tile(
        tf.constant(_SMOOTH, tf.float32)[..., None, None], [1, 1, channels, 1]
    )
    pixels = tf.cast(image, tf.float32)
    smooth = tf.nn.depthwise_conv2d(pixels[None], kernel, [1, 1, 1, 1], "SAME")[0] / 13
    rows, columns = tf.unstack(tf.shape(image)[:2])
    inner_row = (tf.range(rows) > 0) & (tf.range(rows) < rows - 1)
    inner_column = (tf.range(columns) > 0) & (tf.range(columns) < columns - 1)
    inner = inner_row[:, None, None] & inner_column[None, :, None]
    plain = tf.where(inner, tf.floor(smooth + 0.5), pixels)
    return _blend(plain, image, strength)


def _posterize(image: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    """Clears up to four of the eight bits."""
    bits = tf.cast(tf.round(_POSTERIZED_BITS * tf.abs(strength)), tf.uint8)
    return tf.bitwise.left_shift(tf.bitwise.right_shift(image, bits), bits)


def _solarize(image: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    """Inverts what is at or above a threshold."""
    threshold = 255 * (1 - tf.abs(strength))
    return tf.where(tf.cast(image, tf.float32) >= threshold, 255 - image, image)


def _auto_contrast(image: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    """Stretches each channel to [0, 255]."""
    del strength
    pixels = tf.cast(image, tf.float64)
    low = tf.reduce_min(pixels, axis=[0, 1])
    high = tf.reduce_max(pixels, axis=[0, 1])
    scale = 255 / tf.maximum(high - low, 1)
    stretched = tf.clip_by_value(pixels * scale - low * scale, 0, 255)
    return tf.where(high > low, tf.cast(stretched, tf.uint8), image)


def _equalize(image: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    """Equalizes the histogram of each channel."""
    del strength
    channels = [_equalized(channel) for channel in tf.unstack(image, axis=-1)]
    return tf.stack(channels, axis=-1)


def _equalized(channel: tf.Tensor) -> tf.Tensor:
    values = tf.cast(channel, tf.int32)
    histogram = tf.math.bincount(tf.reshape(values, [-1]), minlength=256)
    last = histogram[tf.reduce_max(values)]
    step = (tf.size(values) - last) // 255
    below = tf.cumsum(histogram, exclusive=True)
    table = tf.minimum((below + step // 2) // tf.maximum(step, 1), 255)
    return tf.where(step > 0, tf.cast(tf.gather(table, values), tf.uint8), channel)


# By torchvision's names; each takes an image and a strength in [-1, 1].
OPERATORS: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "Identity": _identity,
    "ShearX": _shear_x,
    "ShearY": _shear_y,
    "TranslateX": _translate_x,
    "TranslateY": _translate_y,
    "Rotate": _rotate,
    "Brightness": _brightness,
    "Color": _color,
    "Contrast": _contrast,
    "Sharpness": _sharpness,
    "Posterize": _posterize,
    "Solarize": _solarize,
    "AutoContrast": _auto_contrast,
    "Equalize": _equalize,
}
