"""The color distortions and resizing of the Inception recipe outside fast mode.

Howard, "Some Improvements on Deep Convolutional Neural Network Based Image
Classification", https://arxiv.org/abs/1312.5402, in slim's four orders. Its
scripts never use them; your own code may.
"""

import functools

import tensorflow as tf

_MAX_HUE_DELTA = 0.2
_CONTRAST = (0.5, 1.5)
_METHODS = (
    tf.compat.v1.image.ResizeMethod.BILINEAR,
    tf.compat.v1.image.ResizeMethod.NEAREST_NEIGHBOR,
    tf.compat.v1.image.ResizeMethod.BICUBIC,
    tf.compat.v1.image.ResizeMethod.AREA,
)
ORDERS = (
    ("brightness", "saturation", "hue", "contrast"),
    ("saturation", "brightness", "contrast", "hue"),
    ("contrast", "hue", "brightness", "saturation"),
    ("hue", "saturation", "contrast", "brightness"),
)
# Separates these seeds from those of the fast mode.
_RESIZE, _ORDER, _HUE, _CONTRASTS = range(1, 5)


def resize(image: tf.Tensor, height: int, width: int, seed: tf.Tensor) -> tf.Tensor:
    """Resizes by a random method: bilinear, nearest, bicubic or area.

    Args:
      image: [H, W, 3] float32.
      height: height of the result, in pixels.
      width: width of the result, in pixels.
      seed: [2] int64 for stateless random numbers.

    Returns:
      [height, width, 3] float32; bicubic may leave the range of the input.
    """
    branches = [
        functools.partial(
            tf.compat.v1.image.resize_images, image, [height, width], method
        )
        for method in _METHODS
    ]
    return tf.switch_case(_draw(seed, _RESIZE, 0, len(branches), tf.int32), branches)


def distort_color(
    image: tf.Tensor, brightness: tf.Tensor, saturation: tf.Tensor, seed: tf.Tensor
) -> tf.Tensor:
    """Distorts brightness, saturation, hue and contrast in one of four orders.

    Args:
      image: [height, width, 3] float32 in [0, 1].
      brightness: scalar, added.
      saturation: scalar, multiplies the saturation.
      seed: [2] int64; hue changes by U(-0.2, 0.2), contrast by a factor U(0.5, 1.5).

    Returns:
      [height, width, 3] float32, not clipped.
    """
    branches = [
        functools.partial(distort_in_order, order, image, brightness, saturation, seed)
        for order in ORDERS
    ]
    return tf.switch_case(_draw(seed, _ORDER, 0, len(branches), tf.int32), branches)


def distort_in_order(
    order: tuple[str, ...],
    image: tf.Tensor,
    brightness: tf.Tensor,
    saturation: tf.Tensor,
    seed: tf.Tensor,
) -> tf.Tensor:
    """Like `distort_color`, with the given steps in the given order."""
    hue = _draw(seed, _HUE, -_MAX_HUE_DELTA, _MAX_HUE_DELTA)
    contrast = _draw(seed, _CONTRASTS, *_CONTRAST)
    steps = {
        "brightness": lambda image: image + brightness,
        "saturation": lambda image: tf.image.adjust_saturation(image, saturation),
        "hue": lambda image: tf.image.adjust_hue(image, hue),
        "contrast": lambda image: tf.image.adjust_contrast(image, contrast),
    }
    return functools.reduce(lambda image, step: steps[step](image), order, image)


def _draw(
    seed: tf.Tensor,
    purpose: int,
    least: float,
    bound: float,
    dtype: tf.DType = tf.float32,
) -> tf.Tensor:
    own_seed = tf.random.experimental.stateless_fold_in(seed, purpose)
    return tf.random.stateless_uniform([], own_seed, least, bound, dtype)
