"""Random erasing: blanks a rectangle of the image.

Zhong et al., "Random Erasing Data Augmentation", https://arxiv.org/abs/1708.04896, with
the ranges of its section 4. It runs on preprocessed images, where 0 is medium gray or
the mean color.
"""

import tensorflow as tf

from preprocessing import image_ops

_AREA = (0.02, 0.4)  # fractions of the image's
_ASPECT = (0.3, 1 / 0.3)  # width / height
_ATTEMPTS = 10


def random_erasing(
    image: tf.Tensor, seed: tf.Tensor, probability: float = 0.25
) -> tf.Tensor:
    """Blanks a random rectangle of one image; a pure function of image and seed.

    The area is uniform, the aspect ratio log-uniform; of ten rectangles the first that
    fits is used, at a random place. If none does, the image is unchanged.

    Args:
      image: [height, width, channels] float32.
      seed: [2] int64 for stateless random numbers.
      probability: fraction of images with a rectangle.

    Returns:
      The image, same shape, 0 inside the rectangle.
    """
    whether_seed, size_seed, corner_seed = tf.unstack(
        tf.random.experimental.stateless_split(seed, 3)
    )
    uniform = tf.random.stateless_uniform
    whole = tf.cast(tf.shape(image)[:2], tf.float32)
    fits, size = image_ops.draw_size(whole, size_seed, _AREA, _ASPECT, _ATTEMPTS)
    erases = fits & (uniform([], whether_seed) < probability)
    top, left = tf.unstack(tf.floor(uniform([2], corner_seed) * (whole - size + 1)))
    height, width = tf.unstack(size)
    rows, columns = tf.range(whole[0]), tf.range(whole[1])
    inside = ((rows >= top) & (rows < top + height))[:, None] & (
        (columns >= left) & (columns < left + width)
    )
    return tf.where((erases & inside)[..., None], 0.0, image)
