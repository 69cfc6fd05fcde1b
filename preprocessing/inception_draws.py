"""The random decisions of the Inception recipe: crop, flip, brightness, saturation."""

from typing import NamedTuple

import tensorflow as tf

from preprocessing import image_ops

# Fraction of the image area, and width / height, as in slim.
_CROP_AREA = (0.05, 1.0)
_CROP_ASPECT = (0.75, 1.33)
# A crop must hold this fraction of the object, by default the whole image, so that in
# effect the least area is a tenth.
_MIN_OBJECT_COVERED = 0.1
_CROP_ATTEMPTS = 100
_MAX_BRIGHTNESS_DELTA = 32.0 / 255.0
_SATURATION = (0.5, 1.5)


class Draws(NamedTuple):
    """The random decisions about one training image.

    Attributes:
      begin: [3] int32, first row, column and channel of the crop.
      size: [3] int32, rows and columns of the crop, and -1 for all channels.
      flip: scalar bool.
      brightness: scalar float32, added to every value of the [0, 1] image.
      saturation: scalar float32, multiplies the saturation.
    """

    begin: tf.Tensor
    size: tf.Tensor
    flip: tf.Tensor
    brightness: tf.Tensor
    saturation: tf.Tensor


def draw(
    image_shape: tf.Tensor, seed: tf.Tensor, bbox: tf.Tensor | None = None
) -> Draws:
    """Draws every random decision about one image.

    The crop is the whole image if none of a hundred attempts has a fitting area and
    aspect ratio. Brightness is U(-32/255, 32/255), saturation U(0.5, 1.5), and a flip
    has probability 1/2.

    Args:
      image_shape: [3] int32, height, width and channels.
      seed: [2] int64; every decision uses its own seed, split off from this one.
      bbox: see `inception_preprocessing.train`.

    Returns:
      The decisions.
    """
    box_seed, flip_seed, brightness_seed, saturation_seed = tf.unstack(
        tf.random.experimental.stateless_split(seed, 4)
    )
    if bbox is None:
        bbox = tf.constant([[[0.0, 0.0, 1.0, 1.0]]])
    begin, size, _ = tf.image.stateless_sample_distorted_bounding_box(
        image_shape,
        bbox,
        box_seed,
        min_object_covered=_MIN_OBJECT_COVERED,
        aspect_ratio_range=_CROP_ASPECT,
        area_range=_CROP_AREA,
        max_attempts=_CROP_ATTEMPTS,
    )
    uniform = tf.random.stateless_uniform
    delta = _MAX_BRIGHTNESS_DELTA
    return Draws(
        begin=begin,
        size=size,
        flip=uniform([], flip_seed) < 0.5,
        brightness=uniform([], brightness_seed, -delta, delta),
        saturation=uniform([], saturation_seed, *_SATURATION),
    )


def distorted_bounding_box_crop(
    image: tf.Tensor,
    bbox: tf.Tensor,
    min_object_covered: float = _MIN_OBJECT_COVERED,
    aspect_ratio_range: tuple[float, float] = _CROP_ASPECT,
    area_range: tuple[float, float] = _CROP_AREA,
    max_attempts: int = _CROP_ATTEMPTS,
    scope: str | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Crops at random, as in training: slim's function of this name.

    Args:
      image: [height, width, channels].
      bbox: `[1, boxes, 4]` float32, boxes as (ymin, xmin, ymax, xmax) in [0, 1].
      min_object_covered: least fraction of a box that the crop must cover.
      aspect_ratio_range: least and greatest width / height.
      area_range: least and greatest fraction of the image area.
      max_attempts: number of attempts before falling back to the whole image.
      scope: has no effect.

    Returns:
      The crop, and its position as a box, `[1, 1, 4]`.
    """
    del scope
    begin, size, box = tf.image.stateless_sample_distorted_bounding_box(
        tf.shape(image),
        bbox,
        image_ops.fresh_seed(),
        min_object_covered=min_object_covered,
        aspect_ratio_range=aspect_ratio_range,
        area_range=area_range,
        max_attempts=max_attempts,
    )
    crop = tf.slice(image, begin, size)
    return tf.ensure_shape(crop, [None, None, image.shape[-1]]), box
