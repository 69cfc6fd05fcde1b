"""The evaluation of `keras.applications`, for weights from there.

The whole image is resized, whatever its aspect, as `keras.layers.Resizing` does, and
goes to the net's `preprocess_input`. Keras publishes no recipe for training; the
registry takes torchvision's, in Keras's colours.
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
        image: [height, width, 1 or 3] uint8; one channel is taken as gray RGB.
        output_height: rows wanted, in pixels.
        output_width: columns wanted, in pixels.
        use_grayscale: whether to give one channel, the luma.
        colors: how colours are normalised.

    Returns:
        [output_height, output_width, 3, or 1 if gray] float32.
    """
    image = image_ops.as_rgb(as_photo(image).pixels())
    image = tf.image.resize(image, [output_height, output_width])
    return normalization.normalize(image, colors, use_grayscale)
