"""The evaluation of `keras.applications`, for its weights.

The whole image is resized, whatever its aspect ratio, as by `keras.layers.Resizing`,
and normalized as by the net's `preprocess_input`. Keras publishes no training recipe;
the registry uses torchvision's with Keras's color normalization.
"""

import tensorflow as tf

from preprocessing import image_ops, normalization
from preprocessing.photo import Photo, as_photo


def evaluate(
    image: tf.Tensor | Photo,
    output_height: int,
    output_width: int,
    use_grayscale: bool = False,
    colors: normalization.Colors = normalization.IMAGENET,
) -> tf.Tensor:
    """Resizes one image bilinearly, with neither antialiasing nor rounding.

    Args:
      image: [height, width, 1 or 3] uint8; one channel is gray RGB.
      output_height: height of the result, in pixels.
      output_width: width of the result, in pixels.
      use_grayscale: whether to return one channel, the luma.
      colors: how colors are normalized.

    Returns:
      [output_height, output_width, 3, or 1 if gray] float32.
    """
    image = image_ops.as_rgb(as_photo(image).pixels())
    image = tf.image.resize(image, [output_height, output_width])
    return normalization.normalize(image, colors, use_grayscale)
