"""The evaluation of TensorFlow's EfficientNets, for weights from there.

The middle of the photograph, less a border of 32 pixels at the size of the net, is
resized bicubically (github.com/tensorflow/tpu, models/official/efficientnet,
preprocessing.py). Training there is the crop of Szegedy et al. with a mirror, which the
registry takes from torchvision's recipe, with the same resize.
"""

import tensorflow as tf

from preprocessing import image_ops, normalization
from preprocessing.photo import Photo, as_photo

_BORDER = 32  # pixels around the crop at the size of the net, both sides together


def evaluate(
    image: tf.Tensor | Photo,
    output_height: int,
    output_width: int,
    use_grayscale: bool = False,
    colors: normalization.Colors = normalization.IMAGENET,
) -> tf.Tensor:
    """Takes the middle of one image and resizes it bicubically.

    Args:
      image: [height, width, 1 or 3] uint8; one channel is taken as gray RGB.
      output_height: rows wanted, in pixels.
      output_width: columns wanted, in pixels.
      use_grayscale: whether to give one channel, the luma.
      colors: how colors are normalized.

    Returns:
      [output_height, output_width, 3, or 1 if gray] float32. Bicubic interpolation
      can overshoot the range of the image's own colors.
    """
    photo = as_photo(image)
    whole = photo.shape[:2]
    longer = max(output_height, output_width)
    share = longer / (longer + _BORDER)
    side = tf.cast(share * tf.cast(tf.reduce_min(whole), tf.float32), tf.int32)
    size = tf.maximum(side * [output_height, output_width] // longer, 1)
    window = photo.window((whole - size + 1) // 2, size)
    resized = image_ops.resize_bicubic(
        image_ops.as_rgb(window), output_height, output_width
    )
    return normalization.normalize(resized, colors, use_grayscale)
