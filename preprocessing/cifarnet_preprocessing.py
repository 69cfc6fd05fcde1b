"""The CifarNet recipe: small images, each scaled to mean 0 and standard deviation 1.

As slim trains on CIFAR-10 (and Krizhevsky's cuda-convnet before it): a random crop of
the image padded with zeros, a flip of every second one, random brightness and contrast.
Nothing is resized: larger images are cropped, smaller ones get a wider margin. The
number of channels does not change.
"""

from typing import NamedTuple

import tensorflow as tf

from preprocessing import image_ops
from preprocessing.photo import Photo, as_photo

_MARGIN = 4  # pixels on every side
# On [0, 255].
_MAX_BRIGHTNESS_DELTA = 63.0
_CONTRAST = (0.2, 1.8)


class Draws(NamedTuple):
    """The random decisions about one training image.

    Attributes:
      corner: (top, left) of the window in the image with its margin, int32 scalars.
      flip: scalar bool.
      brightness: scalar float32, added to every value.
      contrast: scalar float32, multiplies the distance from each channel's mean.
    """

    corner: tuple[tf.Tensor, tf.Tensor]
    flip: tf.Tensor
    brightness: tf.Tensor
    contrast: tf.Tensor


def train(
    image: tf.Tensor | Photo,
    output_height: int,
    output_width: int,
    seed: tf.Tensor,
    use_grayscale: bool = False,
    margin: int = _MARGIN,
) -> tf.Tensor:
    """Distorts one image for training; a pure function of image and seed.

    Args:
      image: [height, width, 1 or 3] uint8.
      output_height: height of the result, in pixels.
      output_width: width of the result, in pixels.
      seed: [2] int64 for stateless random numbers.
      use_grayscale: whether to return one channel, the luma.
      margin: width of the black border on every side, in pixels.

    Returns:
      [output_height, output_width, channels] float32, standardized.
    """
    image = image_ops.as_float(as_photo(image).pixels(), use_grayscale)
    image = _with_margin(image, output_height, output_width, margin)
    draws = draw(tf.shape(image), output_height, output_width, seed)
    image = tf.image.crop_to_bounding_box(
        image, *draws.corner, output_height, output_width
    )
    image = tf.ensure_shape(image, [output_height, output_width, image.shape[-1]])
    image = image_ops.flip_left_right_if(draws.flip, image)
    image = tf.image.adjust_contrast(image + draws.brightness, draws.contrast)
    return tf.image.per_image_standardization(image)


def evaluate(
    image: tf.Tensor | Photo,
    output_height: int,
    output_width: int,
    use_grayscale: bool = False,
) -> tf.Tensor:
    """Crops one image centrally, or pads it with zeros to size.

    Args:
      image: [height, width, 1 or 3] uint8.
      output_height: height of the result, in pixels.
      output_width: width of the result, in pixels.
      use_grayscale: whether to return one channel, the luma.

    Returns:
      [output_height, output_width, channels] float32, standardized.
    """
    image = image_ops.as_float(as_photo(image).pixels(), use_grayscale)
    image = tf.image.resize_with_crop_or_pad(image, output_height, output_width)
    return tf.image.per_image_standardization(image)


def preprocess_image(
    image: tf.Tensor,
    output_height: int,
    output_width: int,
    is_training: bool = False,
    add_image_summaries: bool = True,
    use_grayscale: bool = False,
) -> tf.Tensor:
    """`train`, random at each call, or `evaluate`: slim's name for both.

    `add_image_summaries` has no effect: the training script writes the summaries.
    """
    del add_image_summaries
    if not is_training:
        return evaluate(image, output_height, output_width, use_grayscale)
    return preprocess_for_train(
        image, output_height, output_width, use_grayscale=use_grayscale
    )


def preprocess_for_train(
    image: tf.Tensor,
    output_height: int,
    output_width: int,
    padding: int = _MARGIN,
    add_image_summaries: bool = True,
    use_grayscale: bool = False,
) -> tf.Tensor:
    """`train`, random at each call, under slim's name and arguments."""
    del add_image_summaries
    seed = image_ops.fresh_seed()
    return train(image, output_height, output_width, seed, use_grayscale, padding)


def preprocess_for_eval(
    image: tf.Tensor,
    output_height: int,
    output_width: int,
    add_image_summaries: bool = True,
    use_grayscale: bool = False,
) -> tf.Tensor:
    """`evaluate` under slim's name and arguments."""
    del add_image_summaries
    return evaluate(image, output_height, output_width, use_grayscale)


def draw(
    padded_shape: tf.Tensor, output_height: int, output_width: int, seed: tf.Tensor
) -> Draws:
    """Draws every random decision about one image, each uniform over its range.

    Args:
      padded_shape: [3] int32, height, width and channels including the margin.
      output_height: height of the result, in pixels.
      output_width: width of the result, in pixels.
      seed: [2] int64; every decision uses its own seed, split off from this one.

    Returns:
      The decisions.
    """
    top_seed, left_seed, flip_seed, brightness_seed, contrast_seed = tf.unstack(
        tf.random.experimental.stateless_split(seed, 5)
    )
    uniform = tf.random.stateless_uniform
    most_top = padded_shape[0] - output_height
    most_left = padded_shape[1] - output_width
    delta = _MAX_BRIGHTNESS_DELTA
    return Draws(
        corner=(
            uniform([], top_seed, 0, most_top + 1, tf.int32),
            uniform([], left_seed, 0, most_left + 1, tf.int32),
        ),
        flip=uniform([], flip_seed) < 0.5,
        brightness=uniform([], brightness_seed, -delta, delta),
        contrast=uniform([], contrast_seed, *_CONTRAST),
    )


def _with_margin(image: tf.Tensor, height: int, width: int, margin: int) -> tf.Tensor:
    """Pads with zeros: the margin, and whatever is missing in height and width."""
    size = tf.shape(image)[:2] + 2 * margin
    short = tf.maximum(tf.constant([height, width]) - size, 0)
    before = margin + short // 2
    after = margin + short - short // 2
    sides = tf.concat([tf.stack([before, after], axis=1), [[0, 0]]], axis=0)
    return tf.ensure_shape(tf.pad(image, sides), [None, None, image.shape[-1]])
