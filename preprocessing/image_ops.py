"""Image operations shared by the recipes, with the arithmetic of TensorFlow 1.

Published slim checkpoints were trained on images resized the TensorFlow 1 way: output
pixel `i` reads input coordinate `i * input / output`, so the top left corners are
aligned, without a half-pixel shift or antialiasing. TensorFlow 2's `tf.image.resize`
differs from that by up to half the range on a noisy image.

Height and width may be unknown when a graph is built; channels must be known.
"""

import math

import tensorflow as tf

from errors import UserError


def as_rgb(image: tf.Tensor) -> tf.Tensor:
    """Returns an image of one or three channels with three.

    Args:
      image: [height, width, 1 or 3], any dtype and range.

    Returns:
      [height, width, 3], same dtype and range; one channel is repeated three times.

    Raises:
      UserError: the channels are unknown, or neither 1 nor 3.
    """
    image = tf.convert_to_tensor(image)
    channels = image.shape.with_rank(3)[-1]
    if channels not in (1, 3):
        raise UserError(
            f"Got an image of shape {image.shape}, expected [height, width, 1 or 3]; "
            "decode it with channels=1 or channels=3."
        )
    return image if channels == 3 else tf.image.grayscale_to_rgb(image)


def as_float(image: tf.Tensor, use_grayscale: bool) -> tf.Tensor:
    """Casts an image to float32, optionally reducing it to its luma.

    Args:
      image: [height, width, 1 or 3], any real dtype and range.
      use_grayscale: whether to return one channel, the luma.

    Returns:
      [height, width, 1 or 3] float32 in the range of the input.
    """
    image = tf.cast(image, tf.float32)
    to_gray = use_grayscale and image.shape.with_rank(3)[-1] == 3
    return tf.image.rgb_to_grayscale(image) if to_gray else image


def fresh_seed() -> tf.Tensor:
    """A new seed, [2] int64, of TensorFlow's stateful generator at each call.

    For callers that pass none. `tf.random.set_seed` makes the sequence repeatable.
    """
    return tf.random.uniform([2], maxval=tf.int64.max, dtype=tf.int64)


def flip_left_right_if(condition: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
    """Mirrors the image, [height, width, channels], if the scalar bool is true."""
    return tf.cond(condition, lambda: tf.reverse(image, [1]), lambda: image)


def resize(image: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Resizes bilinearly the TensorFlow 1 way, to any aspect ratio.

    Args:
      image: [H, W, channels], any real dtype and range.
      height: height of the result, in pixels.
      width: width of the result, in pixels.

    Returns:
      [height, width, channels] float32 in the range of the input.
    """
    return tf.compat.v1.image.resize(tf.cast(image, tf.float32), [height, width])


def resize_bicubic(image: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Resizes bicubically the TensorFlow 1 way; otherwise as `resize`."""
    method = tf.image.ResizeMethod.BICUBIC
    return tf.compat.v1.image.resize(
        tf.cast(image, tf.float32), [height, width], method
    )


def resize_like_pillow(
    image: tf.Tensor,
    height: int | tf.Tensor,
    width: int | tf.Tensor,
    method: str = tf.image.ResizeMethod.BILINEAR,
) -> tf.Tensor:
    """Resizes as Pillow does, and so torchvision on Pillow images.

    The filter widens as the image shrinks (antialiasing); the width is resized first,
    then the height, with rounding in between. Pillow's weights have 22 bits, so that a
    value midway between two integers may be off by one.

    Args:
      image: [H, W, channels] uint8.
      height: height of the result, in pixels.
      width: width of the result, in pixels.
      method: bilinear or bicubic.

    Returns:
      [height, width, channels] float32, whole numbers in [0, 255].
    """
    for size in ([tf.shape(image)[0], width], [height, width]):
        image = tf.image.resize(image, size, method, antialias=True)
        image = tf.floor(tf.clip_by_value(image, 0.0, 255.0) + 0.5)
    return image


def least_size(
    height: int | tf.Tensor, width: int | tf.Tensor
) -> tuple[int | tf.Tensor, int | tf.Tensor]:
    """The least size to decode a photo at that will be resized for training.

    The bilinear resize of TensorFlow 1 reads the four pixels around a point, however
    far it shrinks the image. Beyond twice the size it skips some, so that the decoder
    may as well average them.

    Args:
      height: height after the resize, in pixels.
      width: width after the resize, in pixels.

    Returns:
      Twice the height and width.
    """
    return 2 * height, 2 * width


def shorter_side_size(
    image_shape: tf.Tensor, side: int | tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The size whose shorter side is `side`, with the aspect ratio of the image.

    The longer side is `rint(longer * (side / shorter))` in float32, halves to even.

    Args:
      image_shape: [3] int32, height, width and channels.
      side: scalar int, length of the shorter side in pixels.

    Returns:
      (height, width), int32 scalars.
    """
    size = tf.cast(image_shape[:2], tf.float32)
    scaled = size * (tf.cast(side, tf.float32) / tf.reduce_min(size))
    height, width = tf.unstack(tf.cast(tf.math.rint(scaled), tf.int32))
    return height, width


def draw_size(
    whole: tf.Tensor,
    seed: tf.Tensor,
    area: tuple[float, float],
    aspect: tuple[float, float],
    attempts: int,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws the size of a rectangle inside an image.

    Args:
      whole: [2] float32, height and width of the image.
      seed: [2] int64 for stateless random numbers.
      area: least and greatest fraction of the image area; uniform.
      aspect: least and greatest width / height; log-uniform.
      attempts: number of sizes to try.

    Returns:
      Whether one fits, scalar bool; and the first that does, [2] float32, height and
      width, whole numbers.
    """
    area_seed, aspect_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    uniform = tf.random.stateless_uniform
    areas = tf.reduce_prod(whole) * uniform([attempts], area_seed, *area)
    least, greatest = (math.log(bound) for bound in aspect)
    aspects = tf.exp(uniform([attempts], aspect_seed, least, greatest))
    sizes = tf.stack([areas / aspects, areas * aspects], axis=1)
    sizes = tf.math.rint(tf.sqrt(sizes))
    fits = tf.reduce_all((sizes > 0) & (sizes <= whole), axis=1)
    return tf.reduce_any(fits), sizes[tf.argmax(tf.cast(fits, tf.int32))]


def resized_window(
    image: tf.Tensor,
    full_size: tuple[tf.Tensor, tf.Tensor],
    corner: tuple[tf.Tensor, tf.Tensor],
    height: int,
    width: int,
) -> tf.Tensor:
    """Equals `resize(image, *full_size)` cropped at `corner`, bit for bit.

    Only the window is computed: a photo one pixel high and a thousand wide, scaled to
    a height of 512, would otherwise take three gigabytes.

    Args:
      image: [H, W, channels], any real dtype and range.
      full_size: (height, width) of the whole resized image, int32 scalars.
      corner: (top, left) of the window in the resized image, int32 scalars.
      height: rows of the window.
      width: columns of the window; the window must lie inside the resized image.

    Returns:
      [height, width, channels] float32 in the range of the input.
    """
    shape = tf.shape(image)
    top, bottom, down = _neighbors(shape[0], full_size[0], corner[0], height)
    left, right, across = _neighbors(shape[1], full_size[1], corner[1], width)

    def interpolated_rows(indices: tf.Tensor) -> tf.Tensor:
        rows = tf.gather(image, indices)
        start = tf.cast(tf.gather(rows, left, axis=1), tf.float32)
        end = tf.cast(tf.gather(rows, right, axis=1), tf.float32)
        return start + (end - start) * across[:, None]

    upper, lower = interpolated_rows(top), interpolated_rows(bottom)
    return upper + (lower - upper) * down[:, None, None]


def _neighbors(
    in_size: tf.Tensor, out_size: tf.Tensor, start: tf.Tensor, count: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Both input pixels, and their weight, of `count` output pixels along one axis."""
    scale = tf.cast(in_size, tf.float32) / tf.cast(out_size, tf.float32)
    position = tf.cast(start + tf.range(count), tf.float32) * scale
    low = tf.floor(position)
    index = tf.cast(low, tf.int32)
    return index, tf.minimum(index + 1, in_size - 1), position - low
