"""The recipe of VGG and ResNet: RGB in [0, 255] minus the mean color of ImageNet.

Training follows Simonyan and Zisserman, "Very Deep Convolutional Networks"
(https://arxiv.org/abs/1409.1556, section 3.1): the shorter side is scaled to a random
size (scale jittering), cropped at random and flipped every second time. Evaluation
scales to one size and crops centrally.

The paper's sizes, 256 to 512 for crops of 224 pixels, are used for every crop that fits
in 256 pixels. For larger crops they are scaled by crop / 224, so that a crop of 299 is
taken from a shorter side of 342 and shows as much of the photo as 224 of 256. (slim
fails there.)

Gray output is the luma of the color output: the means are subtracted first, which
takes their luma, 117.37, off gray pixels.
"""

from typing import NamedTuple

import tensorflow as tf

from errors import UserError
from preprocessing import image_ops
from preprocessing.photo import Photo, as_photo

# R, G and B over the ImageNet training set, on [0, 255], from the authors' models.
_R_MEAN, _G_MEAN, _B_MEAN = _MEANS = (123.68, 116.78, 103.94)
_PAPER_CROP = 224
_RESIZE_SIDE_MIN = 256
_RESIZE_SIDE_MAX = 512


class Draws(NamedTuple):
    """The random decisions about one training image.

    Attributes:
      full_size: (height, width) to which the image is scaled, int32 scalars.
      corner: (top, left) of the crop of that, int32 scalars.
      flip: scalar bool.
    """

    full_size: tuple[tf.Tensor, tf.Tensor]
    corner: tuple[tf.Tensor, tf.Tensor]
    flip: tf.Tensor


def train(
    image: tf.Tensor | Photo,
    output_height: int,
    output_width: int,
    seed: tf.Tensor,
    use_grayscale: bool = False,
    sides: tuple[int, int] | None = None,
) -> tf.Tensor:
    """Distorts one image for training; a pure function of image and seed.

    Args:
      image: [height, width, 1 or 3] uint8; one channel is gray RGB.
      output_height: height of the result, in pixels.
      output_width: width of the result, in pixels.
      seed: [2] int64 for stateless random numbers.
      use_grayscale: whether to return one channel, the luma.
      sides: least and greatest shorter side, in pixels; `resize_sides` by default.

    Returns:
      [output_height, output_width, 3, or 1 if gray] float32 in [-123.68, 151.06].
    """
    photo = as_photo(image)
    draws = draw(photo.shape, output_height, output_width, seed, sides)
    image = image_ops.as_rgb(photo.pixels(image_ops.least_size(*draws.full_size)))
    image = image_ops.resized_window(
        image, draws.full_size, draws.corner, output_height, output_width
    )
    image = image_ops.flip_left_right_if(draws.flip, image)
    return _subtract_means(image, use_grayscale)


def evaluate(
    image: tf.Tensor | Photo,
    output_height: int,
    output_width: int,
    use_grayscale: bool = False,
    side: int | None = None,
) -> tf.Tensor:
    """Scales the shorter side of one image, keeping its aspect ratio, and crops it.

    The central crop starts at `floor((side - crop) / 2)` along either side.

    Args:
      image: [height, width, 1 or 3] uint8; one channel is gray RGB.
      output_height: height of the result, in pixels.
      output_width: width of the result, in pixels.
      use_grayscale: whether to return one channel, the luma.
      side: the shorter side, in pixels; the first of `resize_sides` by default.

    Returns:
      [output_height, output_width, 3, or 1 if gray] float32 in [-123.68, 151.06].
    """
    image = image_ops.as_rgb(as_photo(image).pixels())
    side = side or resize_sides(output_height, output_width)[0]
    height, width = image_ops.shorter_side_size(tf.shape(image), side)
    corner = ((height - output_height) // 2, (width - output_width) // 2)
    image = image_ops.resized_window(
        image, (height, width), corner, output_height, output_width
    )
    return _subtract_means(image, use_grayscale)


def preprocess_image(
    image: tf.Tensor,
    output_height: int,
    output_width: int,
    is_training: bool = False,
    resize_side_min: int | None = None,
    resize_side_max: int | None = None,
    use_grayscale: bool = False,
) -> tf.Tensor:
    """`train`, random at each call, or `evaluate`: slim's name for both.

    Args:
      image: [height, width, 1 or 3] uint8.
      output_height: height of the result, in pixels.
      output_width: width of the result, in pixels.
      is_training: whether to call `train`.
      resize_side_min: least shorter side, also that of evaluation, in pixels.
      resize_side_max: greatest shorter side, in pixels. Both default to those of
        `resize_sides`, as in slim for crops up to 256 pixels.
      use_grayscale: whether to return one channel, the luma.

    Returns:
      [output_height, output_width, 3, or 1 if gray] float32 in [-123.68, 151.06].

    Raises:
      UserError: the crop exceeds the least side, or that exceeds the greatest.
    """
    least, greatest = resize_sides(output_height, output_width)
    least = least if resize_side_min is None else resize_side_min
    greatest = max(greatest, least) if resize_side_max is None else resize_side_max
    if not max(output_height, output_width) <= least <= greatest:
        raise UserError(
            f"resize_side_min={least}, resize_side_max={greatest}: a crop of"
            f" {output_height}x{output_width} pixels needs sides as large as itself,"
            " the least first."
        )
    if not is_training:
        return evaluate(image, output_height, output_width, use_grayscale, least)
    seed, sides = image_ops.fresh_seed(), (least, greatest)
    return train(image, output_height, output_width, seed, use_grayscale, sides)


def preprocess_for_train(
    image: tf.Tensor,
    output_height: int,
    output_width: int,
    resize_side_min: int | None = None,
    resize_side_max: int | None = None,
    use_grayscale: bool = False,
) -> tf.Tensor:
    """`preprocess_image` in training, under slim's name and arguments."""
    sides = resize_side_min, resize_side_max
    return preprocess_image(
        image, output_height, output_width, True, *sides, use_grayscale
    )


def preprocess_for_eval(
    image: tf.Tensor,
    output_height: int,
    output_width: int,
    resize_side: int | None = None,
    use_grayscale: bool = False,
) -> tf.Tensor:
    """`preprocess_image` in evaluation, under slim's name and arguments."""
    return preprocess_image(
        image,
        output_height,
        output_width,
        resize_side_min=resize_side,
        use_grayscale=use_grayscale,
    )


def resize_sides(output_height: int, output_width: int) -> tuple[int, int]:
    """The least and greatest shorter side, in pixels, for a crop.

    Evaluation uses the least, training any in between.

    >>> resize_sides(224, 224), resize_sides(299, 299)
    ((256, 512), (342, 683))
    """
    crop = max(output_height, output_width)
    growth = 1.0 if crop <= _RESIZE_SIDE_MIN else crop / _PAPER_CROP
    return round(_RESIZE_SIDE_MIN * growth), round(_RESIZE_SIDE_MAX * growth)


def draw(
    image_shape: tf.Tensor,
    output_height: int,
    output_width: int,
    seed: tf.Tensor,
    sides: tuple[int, int] | None = None,
) -> Draws:
    """Draws every random decision about one image, each uniform over its range.

    Args:
      image_shape: [3] int32, height, width and channels.
      output_height: height of the result, in pixels.
      output_width: width of the result, in pixels.
      seed: [2] int64; every decision uses its own seed, split off from this one.
      sides: least and greatest shorter side, in pixels; `resize_sides` by default.

    Returns:
      The decisions.
    """
    side_seed, top_seed, left_seed, flip_seed = tf.unstack(
        tf.random.experimental.stateless_split(seed, 4)
    )

    def integer(seed: tf.Tensor, least: int, greatest: int | tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_uniform([], seed, least, greatest + 1, tf.int32)

    side = integer(side_seed, *(sides or resize_sides(output_height, output_width)))
    height, width = image_ops.shorter_side_size(image_shape, side)
    top = integer(top_seed, 0, height - output_height)
    left = integer(left_seed, 0, width - output_width)
    flip = tf.random.stateless_uniform([], flip_seed) < 0.5
    return Draws((height, width), (top, left), flip)


def _subtract_means(image: tf.Tensor, use_grayscale: bool) -> tf.Tensor:
    """Centers an RGB image, [height, width, 3] float32 in [0, 255], gray if asked."""
    image = image - tf.constant(_MEANS)
    return tf.image.rgb_to_grayscale(image) if use_grayscale else image
