"""The Inception recipe, also of MobileNet, NASNet and PNASNet: RGB scaled to [-1, 1].

Training follows Szegedy et al., "Going Deeper with Convolutions"
(https://arxiv.org/abs/1409.4842, section 6) as slim runs it: a random crop of any
aspect near one, a mirror image every second time, then random brightness and
saturation (Howard, https://arxiv.org/abs/1312.5402). Evaluation keeps the middle.
"""

from typing import NamedTuple

import tensorflow as tf

from preprocessing import image_ops
from preprocessing.photo import Photo, as_photo

# Fractions of the image area and width/height, as in slim.
_CROP_AREA = (0.05, 1.0)
_CROP_ASPECT = (0.75, 1.33)
# A crop must hold this much of the object, which here is the whole image, so that in
# effect the least area is a tenth.
_MIN_OBJECT_COVERED = 0.1
_CROP_ATTEMPTS = 100
_MAX_BRIGHTNESS_DELTA = 32.0 / 255.0
_SATURATION = (0.5, 1.5)
# Of each side, so that 0.766 of the area is kept.
_CENTRAL_FRACTION = 0.875


class Draws(NamedTuple):
    """All that is random about one training image.

    Attributes:
        begin: [3] int32, first row, column and channel of the crop.
        size: [3] int32, rows and columns of the crop, and -1 for all channels.
        flip: scalar bool.
        brightness: scalar float32, added to every value of the [0, 1] image.
        saturation: scalar float32, multiplies the saturation.
    """

    begin: tf.Tensor
    size: tf.Tensor
    flip: tf.Tensor
    brightness: tf.Tensor
    saturation: tf.Tensor


def train(
    image: tf.Tensor | Photo,
    output_height: int,
    output_width: int,
    seed: tf.Tensor,
    use_grayscale: bool = False,
) -> tf.Tensor:
    """Distorts one image for training; a pure function of image and seed.

    Brightness comes before saturation and only their result is clipped, as in the fast
    mode that slim's scripts always use.

    Args:
        image: [height, width, 1 or 3] uint8; one channel is taken as gray RGB.
        output_height: rows wanted, in pixels.
        output_width: columns wanted, in pixels.
        seed: [2] int64 for stateless random numbers.
        use_grayscale: whether to end with one channel, the luma.

    Returns:
        [output_height, output_width, 3, or 1 if gray] float32 in [-1, 1].
    """
    photo = as_photo(image)
    draws = draw(photo.shape, seed)
    least_size = image_ops.least_size(output_height, output_width)
    image = photo.window(draws.begin[:2], draws.size[:2], least_size)
    image = tf.image.convert_image_dtype(image_ops.as_rgb(image), tf.float32)
    image = image_ops.resize(image, output_height, output_width)
    image = image_ops.flip_left_right_if(draws.flip, image)
    image = tf.image.adjust_saturation(image + draws.brightness, draws.saturation)
    image = tf.clip_by_value(image, 0.0, 1.0)
    if use_grayscale:
        image = tf.image.rgb_to_grayscale(image)
    return _to_signed(image)


def evaluate(
    image: tf.Tensor | Photo,
    output_height: int,
    output_width: int,
    use_grayscale: bool = False,
) -> tf.Tensor:
    """Takes the middle of one image, 0.875 of each side, and resizes it.

    Of a side of `n` pixels, `floor((n - 0.875 n) / 2)` are cut off at either end.

    Args:
        image: [height, width, 1 or 3] uint8; one channel is taken as gray RGB.
        output_height: rows wanted, in pixels.
        output_width: columns wanted, in pixels.
        use_grayscale: whether to give one channel, the luma.

    Returns:
        [output_height, output_width, 3, or 1 if gray] float32 in [-1, 1].
    """
    photo = as_photo(image)
    size = photo.shape[:2]
    # In float64, as slim's scripts did: 0.125 n / 2 is exact.
    begin = tf.cast(tf.cast(size, tf.float64) * (1 - _CENTRAL_FRACTION) / 2, tf.int32)
    image = photo.window(begin, size - 2 * begin)
    image = tf.image.convert_image_dtype(image_ops.as_rgb(image), tf.float32)
    if use_grayscale:
        image = tf.image.rgb_to_grayscale(image)
    return _to_signed(image_ops.resize(image, output_height, output_width))


def draw(image_shape: tf.Tensor, seed: tf.Tensor) -> Draws:
    """Makes every random decision about one image.

    The crop is the whole image when none of a hundred tries has a fitting area and
    aspect. Brightness is U(-32/255, 32/255), saturation U(0.5, 1.5), a flip as likely
    as none.

    Args:
        image_shape: [3] int32, height, width and channels.
        seed: [2] int64; every decision uses a seed of its own, split off this one.

    Returns:
        The decisions.
    """
    box_seed, flip_seed, brightness_seed, saturation_seed = tf.unstack(
        tf.random.experimental.stateless_split(seed, 4)
    )
    whole_image = tf.constant([[[0.0, 0.0, 1.0, 1.0]]])
    begin, size, _ = tf.image.stateless_sample_distorted_bounding_box(
        image_shape,
        whole_image,
        box_seed,
        min_object_covered=_MIN_OBJECT_COVERED,
        aspect_ratio_range=_CROP_ASPECT,
        area_range=_CROP_AREA,
        max_attempts=_CROP_ATTEMPTS,
    )
    uniform = tf.random.stateless_uniform
    delta = _MAX_BRIGHTNESS_DELTA
    return Draws(
        begin=begin,
        size=size,
        flip=uniform([], flip_seed) < 0.5,
        brightness=uniform([], brightness_seed, -delta, delta),
        saturation=uniform([], saturation_seed, *_SATURATION),
    )


def _to_signed(image: tf.Tensor) -> tf.Tensor:
    """Maps [0, 1] to [-1, 1]."""
    return (image - 0.5) * 2.0
