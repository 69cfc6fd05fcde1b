"""The LeNet recipe: digits in [-1, 1), cropped or padded, never distorted.

The number of channels does not change: MNIST has one.
"""

import tensorflow as tf

from preprocessing import image_ops
from preprocessing.photo import Photo, as_photo


def train(
    image: tf.Tensor | Photo,
    output_height: int,
    output_width: int,
    seed: tf.Tensor,
    use_grayscale: bool = False,
) -> tf.Tensor:
    """Equals `evaluate`: nothing is random, whatever the seed."""
    del seed
    return evaluate(image, output_height, output_width, use_grayscale)


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
      [output_height, output_width, channels] float32 in [-1, 1).
    """
    image = image_ops.as_float(as_photo(image).pixels(), use_grayscale)
    image = tf.image.resize_with_crop_or_pad(image, output_height, output_width)
    return (image - 128.0) / 128.0


def preprocess_image(
    image: tf.Tensor,
    output_height: int,
    output_width: int,
    is_training: bool = False,
    use_grayscale: bool = False,
) -> tf.Tensor:
    """`train` or `evaluate`, which are the same: slim's name for both."""
    del is_training
    return evaluate(image, output_height, output_width, use_grayscale)
