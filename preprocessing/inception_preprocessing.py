"""The Inception recipe, also of MobileNet, NASNet and PNASNet: RGB scaled to [-1, 1].

Training follows Szegedy et al., "Going Deeper with Convolutions"
(https://arxiv.org/abs/1409.4842, section 6) as slim runs it: a random crop of any
aspect near one, a mirror image every second time, then random brightness and
saturation (Howard, https://arxiv.org/abs/1312.5402). Evaluation keeps the middle.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from preprocessing import image_ops, slow_distortions
from preprocessing.photo import Photo, as_photo

# Fractions of the image area and width/height, as in slim.
_CROP_AREA = (0.05, 1.0)
_CROP_ASPECT = (0.75, 1.33)
# A crop must hold this much of the object, which by default is the whole image, so that
# in effect the least area is a tenth.
_MIN_OBJECT_COVERED = 0.1
_CROP_ATTEMPTS = 100
_MAX_BRIGHTNESS_DELTA = 32.0 / 255.0
_SATURATION = (0.5, 1.5)
# Of each side, so that 0.766 of the area is kept.
_CENTRAL_FRACTION = 0.875
_FAST_ORDERS = (("brightness", "saturation"), ("saturation", "brightness"))


class Draws(NamedTuple):
    """All that is random about one training image.

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


def train(
    image: tf.Tensor | Photo,
    output_height: int,
    output_width: int,
    seed: tf.Tensor,
    use_grayscale: bool = False,
    bbox: tf.Tensor | None = None,
    fast_mode: bool = True,
    crop_image: bool = True,
) -> tf.Tensor:
    """Distorts one image for training; a pure function of image and seed.

    Brightness comes before saturation and only their result is clipped, as in the fast
    mode that slim's scripts always use.

    Args:
        image: [height, width, 1 or 3] uint8; one channel is taken as gray RGB.
        output_height: rows wanted, in pixels.
        output_width: columns wanted, in pixels.
        seed: [2] int64 for stateless random numbers.
        use_grayscale: whether to end with one channel, the luma.
        bbox: `[1, boxes, 4]` float32, boxes as (ymin, xmin, ymax, xmax) in [0, 1]; the
            crop holds a tenth of one of them. The whole image by default.
        fast_mode: False draws the way of resizing and distorts the colours in more
            ways; see `slow_distortions`.
        crop_image: False takes the whole image.

    Returns:
        [output_height, output_width, 3, or 1 if gray] float32 in [-1, 1].
    """
    photo = as_photo(image)
    draws = draw(photo.shape, seed, bbox)
    least_size = image_ops.least_size(output_height, output_width)
    if crop_image:
        image = photo.window(draws.begin[:2], draws.size[:2], least_size)
    else:
        image = photo.pixels(least_size)
    image = tf.image.convert_image_dtype(image_ops.as_rgb(image), tf.float32)
    if fast_mode:
        image = image_ops.resize(image, output_height, output_width)
        image = tf.image.adjust_saturation(image + draws.brightness, draws.saturation)
    else:
        image = slow_distortions.resize(image, output_height, output_width, seed)
        image = slow_distortions.distort_color(
            image, draws.brightness, draws.saturation, seed
        )
    image = image_ops.flip_left_right_if(draws.flip, image)
    image = tf.clip_by_value(image, 0.0, 1.0)
    if use_grayscale:
        image = tf.image.rgb_to_grayscale(image)
    return _to_signed(image)


def evaluate(
    image: tf.Tensor | Photo,
    output_height: int,
    output_width: int,
    use_grayscale: bool = False,
    central_crop: bool = True,
    central_fraction: float = _CENTRAL_FRACTION,
) -> tf.Tensor:
    """Takes the middle of one image, 0.875 of each side, and resizes it.

    Of a side of `n` pixels, `floor((n - 0.875 n) / 2)` are cut off at either end.

    Args:
        image: [height, width, 1 or 3] uint8; one channel is taken as gray RGB.
        output_height: rows wanted, in pixels.
        output_width: columns wanted, in pixels.
        use_grayscale: whether to give one channel, the luma.
        central_crop: False takes the whole image.
        central_fraction: how much of each side is taken.

    Returns:
        [output_height, output_width, 3, or 1 if gray] float32 in [-1, 1].
    """
    photo = as_photo(image)
    if central_crop:
        size = photo.shape[:2]
        # In float64, as slim's scripts did: 0.125 n / 2 is exact.
        cut = tf.cast(size, tf.float64) * (1 - central_fraction) / 2
        begin = tf.cast(cut, tf.int32)
        image = photo.window(begin, size - 2 * begin)
    else:
        image = photo.pixels()
    image = tf.image.convert_image_dtype(image_ops.as_rgb(image), tf.float32)
    if use_grayscale:
        image = tf.image.rgb_to_grayscale(image)
    return _to_signed(image_ops.resize(image, output_height, output_width))


def preprocess_image(
    image: tf.Tensor,
    height: int,
    width: int,
    is_training: bool = False,
    bbox: tf.Tensor | None = None,
    fast_mode: bool = True,
    add_image_summaries: bool = True,
    crop_image: bool = True,
    use_grayscale: bool = False,
) -> tf.Tensor:
    """`train`, random at each call, or `evaluate`: slim's name of both.

    `add_image_summaries` is of no effect: the training script writes the summaries.
    """
    del add_image_summaries
    if not is_training:
        return evaluate(image, height, width, use_grayscale, crop_image)
    return preprocess_for_train(
        image,
        height,
        width,
        bbox,
        fast_mode,
        random_crop=crop_image,
        use_grayscale=use_grayscale,
    )


def preprocess_for_train(
    image: tf.Tensor,
    height: int,
    width: int,
    bbox: tf.Tensor | None,
    fast_mode: bool = True,
    scope: str | None = None,
    add_image_summaries: bool = True,
    random_crop: bool = True,
    use_grayscale: bool = False,
) -> tf.Tensor:
    """`train`, random at each call, by slim's name and arguments."""
    del scope, add_image_summaries
    seed = image_ops.fresh_seed()
    return train(
        image, height, width, seed, use_grayscale, bbox, fast_mode, random_crop
    )


def preprocess_for_eval(
    image: tf.Tensor,
    height: int,
    width: int,
    central_fraction: float | None = _CENTRAL_FRACTION,
    scope: str | None = None,
    central_crop: bool = True,
    use_grayscale: bool = False,
) -> tf.Tensor:
    """`evaluate` by slim's name and arguments; no fraction takes the whole image."""
    del scope
    fraction = central_fraction or 1.0
    return evaluate(image, height, width, use_grayscale, central_crop, fraction)


def distort_color(
    image: tf.Tensor,
    color_ordering: int = 0,
    fast_mode: bool = True,
    scope: str | None = None,
) -> tf.Tensor:
    """Changes colours at random: slim's function of this name.

    Args:
        image: [height, width, 3] float32 in [0, 1].
        color_ordering: which order of the steps: of four, in fast mode of two.
        fast_mode: brightness and saturation alone.
        scope: of no effect.

    Returns:
        [height, width, 3] float32 in [0, 1].

    Raises:
        ValueError: there is no such order.
    """
    del scope
    orders = _FAST_ORDERS if fast_mode else slow_distortions.ORDERS
    color_ordering = min(color_ordering, 1) if fast_mode else color_ordering
    if not 0 <= color_ordering < len(orders):
        raise ValueError(f"color_ordering={color_ordering}: expected 0 to 3")
    seed = image_ops.fresh_seed()
    draws = draw(tf.shape(image), seed)
    image = slow_distortions.distort_in_order(
        orders[color_ordering], image, draws.brightness, draws.saturation, seed
    )
    return tf.clip_by_value(image, 0.0, 1.0)


def distorted_bounding_box_crop(
    image: tf.Tensor,
    bbox: tf.Tensor,
    min_object_covered: float = _MIN_OBJECT_COVERED,
    aspect_ratio_range: tuple[float, float] = _CROP_ASPECT,
    area_range: tuple[float, float] = _CROP_AREA,
    max_attempts: int = _CROP_ATTEMPTS,
    scope: str | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Crops at random as `train` does: slim's function of this name.

    Args:
        image: [height, width, channels].
        bbox: `[1, boxes, 4]` float32, boxes as (ymin, xmin, ymax, xmax) in [0, 1].
        min_object_covered: share of a box that the crop holds at least.
        aspect_ratio_range: least and greatest width / height.
        area_range: least and greatest share of the image's area.
        max_attempts: after so many the crop is the whole image.
        scope: of no effect.

    Returns:
        The crop, and its place as a box, `[1, 1, 4]`.
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


def apply_with_random_selector(
    x: tf.Tensor, func: Callable[[tf.Tensor, int], tf.Tensor], num_cases: int
) -> tf.Tensor:
    """`func(x, case)` of a case from 0 to `num_cases` - 1, drawn at each call."""

    def branch(case: int) -> Callable[[], tf.Tensor]:
        return lambda: func(x, case)

    case = tf.random.uniform([], maxval=num_cases, dtype=tf.int32)
    return tf.switch_case(case, [branch(case) for case in range(num_cases)])


def draw(
    image_shape: tf.Tensor, seed: tf.Tensor, bbox: tf.Tensor | None = None
) -> Draws:
    """Makes every random decision about one image.

    The crop is the whole image when none of a hundred tries has a fitting area and
    aspect. Brightness is U(-32/255, 32/255), saturation U(0.5, 1.5), a flip as likely
    as none.

    Args:
        image_shape: [3] int32, height, width and channels.
        seed: [2] int64; every decision uses a seed of its own, split off this one.
        bbox: see `train`.

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


def _to_signed(image: tf.Tensor) -> tf.Tensor:
    """Maps [0, 1] to [-1, 1]."""
    return (image - 0.5) * 2.0
