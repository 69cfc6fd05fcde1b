"""The recipe of Inception, MobileNet, NASNet and PNASNet: RGB scaled to [-1, 1].

Training follows Szegedy et al., "Going Deeper with Convolutions"
(https://arxiv.org/abs/1409.4842, section 6) as slim runs it: a random crop of
aspect ratio near 1, a flip every second time, then random brightness and saturation
(Howard, https://arxiv.org/abs/1312.5402). Evaluation takes a central crop.
"""

from collections.abc import Callable

import tensorflow as tf

from preprocessing import image_ops, inception_draws, slow_distortions
from preprocessing.photo import Photo, as_photo

# Of each side, which keeps 0.766 of the area.
_CENTRAL_FRACTION = 0.875
_FAST_ORDERS = (("brightness", "saturation"), ("saturation", "brightness"))

distorted_bounding_box_crop = inception_draws.distorted_bounding_box_crop  # slim's name


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
      image: [height, width, 1 or 3] uint8; one channel is gray RGB.
      output_height: height of the result, in pixels.
      output_width: width of the result, in pixels.
      seed: [2] int64 for stateless random numbers.
      use_grayscale: whether to return one channel, the luma.
      bbox: `[1, boxes, 4]` float32, boxes as (ymin, xmin, ymax, xmax) in [0, 1]; the
        crop covers a tenth of one of them. The whole image by default.
      fast_mode: False draws the resizing method, too, and distorts hue and contrast
        as well; see `slow_distortions`.
      crop_image: False uses the whole image.

    Returns:
      [output_height, output_width, 3, or 1 if gray] float32 in [-1, 1].
    """
    photo = as_photo(image)
    draws = inception_draws.draw(photo.shape, seed, bbox)
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
    """Crops one image centrally, 0.875 of each side, and resizes it.

    From a side of `n` pixels, `floor((n - 0.875 n) / 2)` are cut off at either end.

    Args:
      image: [height, width, 1 or 3] uint8; one channel is gray RGB.
      output_height: height of the result, in pixels.
      output_width: width of the result, in pixels.
      use_grayscale: whether to return one channel, the luma.
      central_crop: False uses the whole image.
      central_fraction: fraction of each side that is kept.

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
    """`train`, random at each call, or `evaluate`: slim's name for both.

    `add_image_summaries` has no effect: the training script writes the summaries.
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
    """`train`, random at each call, under slim's name and arguments."""
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
    """`evaluate` under slim's name and arguments; no fraction is the whole image."""
    del scope
    fraction = central_fraction or 1.0
    return evaluate(image, height, width, use_grayscale, central_crop, fraction)


def distort_color(
    image: tf.Tensor,
    color_ordering: int = 0,
    fast_mode: bool = True,
    scope: str | None = None,
) -> tf.Tensor:
    """Distorts colors at random: slim's function of this name.

    Args:
      image: [height, width, 3] float32 in [0, 1].
      color_ordering: index of the order of the steps: 0 to 3, or 1 in fast mode.
      fast_mode: brightness and saturation only.
      scope: has no effect.

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
    draws = inception_draws.draw(tf.shape(image), seed)
    image = slow_distortions.distort_in_order(
        orders[color_ordering], image, draws.brightness, draws.saturation, seed
    )
    return tf.clip_by_value(image, 0.0, 1.0)


def apply_with_random_selector(
    x: tf.Tensor, func: Callable[[tf.Tensor, int], tf.Tensor], num_cases: int
) -> tf.Tensor:
    """`func(x, case)` for a random case from 0 to `num_cases` - 1."""

    def branch(case: int) -> Callable[[], tf.Tensor]:
        return lambda: func(x, case)

    case = tf.random.uniform([], maxval=num_cases, dtype=tf.int32)
    return tf.switch_case(case, [branch(case) for case in range(num_cases)])


def _to_signed(image: tf.Tensor) -> tf.Tensor:
    """Maps [0, 1] to [-1, 1]."""
    return (image - 0.5) * 2.0
