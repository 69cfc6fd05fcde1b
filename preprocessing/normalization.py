"""How Keras's and torchvision's nets expect colors to be normalized.

The numbers are those of `preprocess_input` in `keras.applications`; `imagenet`, which
is called "torch" there, is torchvision's too. `UNIT` is `Rescaling(1 / 255)`, and `VGG`
is `CAFFE` in the order of slim's VGG recipe, red first.

Gray output is what a gray image's luma becomes: means and deviations are the luma of
the colors'.
"""

from typing import NamedTuple

import tensorflow as tf


class Colors(NamedTuple):
    """How an RGB image in [0, 255] is shifted and scaled.

    Attributes:
      mean: means of R, G and B, which are subtracted.
      deviation: standard deviations of R, G and B, which are divided by.
      is_bgr: whether the resulting order of channels is blue, green, red.
    """

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    is_bgr: bool = False


IMAGENET = Colors(
    (0.485 * 255, 0.456 * 255, 0.406 * 255), (0.229 * 255, 0.224 * 255, 0.225 * 255)
)
# EfficientNet-Lite's, whose first layer is to be exact in 8-bit arithmetic.
LITE = Colors((127.0, 127.0, 127.0), (128.0, 128.0, 128.0))
# EfficientNetV2 S, M and L's.
V2 = Colors((128.0, 128.0, 128.0), (128.0, 128.0, 128.0))
TF = Colors((127.5, 127.5, 127.5), (127.5, 127.5, 127.5))
UNIT = Colors((0.0, 0.0, 0.0), (255.0, 255.0, 255.0))
VGG = Colors((123.68, 116.779, 103.939), (1.0, 1.0, 1.0))
CAFFE = Colors((123.68, 116.779, 103.939), (1.0, 1.0, 1.0), is_bgr=True)


def normalize(image: tf.Tensor, colors: Colors, use_grayscale: bool) -> tf.Tensor:
    """Shifts and scales an image.

    Args:
      image: [height, width, 3] float32 in [0, 255], RGB.
      colors: how to normalize.
      use_grayscale: whether to return one channel, the luma.

    Returns:
      [height, width, 3, or 1 if gray] float32.
    """
    mean, deviation = tf.constant(colors.mean), tf.constant(colors.deviation)
    if use_grayscale:
        image, mean, deviation = map(
            tf.image.rgb_to_grayscale, (image, mean, deviation)
        )
    elif colors.is_bgr:
        image, mean, deviation = (tf.reverse(x, [-1]) for x in (image, mean, deviation))
    return (image - mean) / deviation
