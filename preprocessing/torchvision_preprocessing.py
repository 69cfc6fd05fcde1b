"""The recipe of torchvision's reference training, for its weights.

Training follows Szegedy et al., "Going Deeper with Convolutions"
(https://arxiv.org/abs/1409.4842, section 6), as in torchvision's `RandomResizedCrop`,
and flips every second image. Evaluation resizes the shorter side and crops centrally:
256 and 224 pixels, and other sizes in proportion (342 and 299). Pixels are those of
Pillow's bilinear resize, or of its bicubic one.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from preprocessing import image_ops, normalization
from preprocessing.photo import Photo, as_photo

# Fraction of the image area, and width / height.
_CROP_AREA = (0.08, 1.0)
_CROP_ASPECT = (3 / 4, 4 / 3)
_CROP_ATTEMPTS = 10
_CENTRAL_FRACTION = 224 / 256

Resize = Callable[..., tf.Tensor]


class Draws(NamedTuple):
    """The random decisions about one training image.

    Attributes:
      corner: (top, left) of the crop, int32 scalars.
      size: (height, width) of the crop, int32 scalars.
      flip: scalar bool.
    """

    corner: tuple[tf.Tensor, tf.Tensor]
    size: tuple[tf.Tensor, tf.Tensor]
    flip: tf.Tensor


def train(
    image: tf.Tensor | Photo,
    output_height: int,
    output_width: int,
    seed: tf.Tensor,
    use_grayscale: bool = False,
    colors: normalization.Colors = normalization.IMAGENET,
    resize: Resize = image_ops.resize_like_pillow,
) -> tf.Tensor:
    """Distorts one image for training; a pure function of image and seed.

    Args:
      image: [height, width, 1 or 3] uint8; one channel is gray RGB.
      output_height: height of the result, in pixels.
      output_width: width of the result, in pixels.
      seed: [2] int64 for stateless random numbers.
      use_grayscale: whether to return one channel, the luma.
      colors: how colors are normalized.
      resize: from the crop, height and width to the resized image.

    Returns:
      [output_height, output_width, 3, or 1 if gray] float32.
    """
    photo = as_photo(image)
    draws = draw(photo.shape, seed)
    least_size = image_ops.least_size(output_height, output_width)
    image = photo.window(tf.stack(draws.corner), tf.stack(draws.size), least_size)
    image = image_ops.as_rgb(image)
    image = resize(image, output_height, output_width)
    image = image_ops.flip_left_right_if(draws.flip, image)
    image = tf.ensure_shape(image, [output_height, output_width, 3])
    return normalization.normalize(image, colors, use_grayscale)


def evaluate(
    image: tf.Tensor | Photo,
    output_height: int,
    output_width: int,
    use_grayscale: bool = False,
    resize: Resize = image_ops.resize_like_pillow,
) -> tf.Tensor:
    """Resizes the shorter side of one image to 8/7 of the output and crops centrally.

    The longer side is rounded down, the corner of the crop to nearest, halves to even.

    Args:
      image: [height, width, 1 or 3] uint8; one channel is gray RGB.
      output_height: height of the result, in pixels.
      output_width: width of the result, in pixels.
      use_grayscale: whether to return one channel, the luma.
      resize: from the image, height and width to the resized image.

    Returns:
      [output_height, output_width, 3, or 1 if gray] float32.
    """
    image = image_ops.as_rgb(as_photo(image).pixels())
    side = round(max(output_height, output_width) / _CENTRAL_FRACTION)
    size = tf.shape(image)[:2]
    height, width = tf.unstack(side * size // tf.reduce_min(size))
    image = resize(image, height, width)
    image = tf.image.crop_to_bounding_box(
        image,
        _half_to_even(height - output_height),
        _half_to_even(width - output_width),
        output_height,
        output_width,
    )
    image = tf.ensure_shape(image, [output_height, output_width, 3])
    return normalization.normalize(image, normalization.IMAGENET, use_grayscale)


def draw(image_shape: tf.Tensor, seed: tf.Tensor) -> Draws:
    """Draws every random decision about one image.

    The area is uniform, the aspect ratio log-uniform; of ten crops the first that fits
    is used. If none does, it is the largest central crop of an allowed aspect ratio.

    Args:
      image_shape: [3] int32, height, width and channels.
      seed: [2] int64; every decision uses its own seed, split off from this one.

    Returns:
      The decisions.
    """
    size_seed, corner_seed, flip_seed = tf.unstack(
        tf.random.experimental.stateless_split(seed, 3)
    )
    uniform = tf.random.stateless_uniform
    whole = tf.cast(image_shape[:2], tf.float32)
    fits, size = image_ops.draw_size(
        whole, size_seed, _CROP_AREA, _CROP_ASPECT, _CROP_ATTEMPTS
    )
    size = tf.where(fits, size, _largest_window(whole))
    room = whole - size
    anywhere = tf.minimum(uniform([2], corner_seed) * (room + 1), room)
    corner = tf.floor(tf.where(fits, anywhere, room / 2))
    top, left = tf.unstack(tf.cast(corner, tf.int32))
    height, width = tf.unstack(tf.cast(size, tf.int32))
    return Draws((top, left), (height, width), uniform([], flip_seed) < 0.5)


def _largest_window(whole: tf.Tensor) -> tf.Tensor:
    """The largest [height, width], rounded, of an allowed aspect ratio."""
    least, greatest = _CROP_ASPECT
    height = tf.minimum(whole[0], tf.math.rint(whole[1] / least))
    width = tf.minimum(whole[1], tf.math.rint(whole[0] * greatest))
    return tf.stack([height, width])


def _half_to_even(room: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.math.rint(tf.cast(room, tf.float32) / 2), tf.int32)
