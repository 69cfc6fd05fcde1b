"""Random affine warps: rotation, shift, shear and zoom in one resampling.

The draws and their order are those of Keras' `ImageDataGenerator`, which fine-tuning
tutorials use. A warp runs on preprocessed images, after a recipe's crop, so that of
a large photo only the crop is decoded and resampled.
"""

import math

import tensorflow as tf


def random_affine(
    image: tf.Tensor,
    seed: tf.Tensor,
    *,
    shear: float = 0.0,
    zoom: float = 0.0,
    rotate: float = 0.0,
    shift: float = 0.0,
) -> tf.Tensor:
    """Warps one image at random, about its center; a pure function of image and seed.

    A pixel at p from the center gets the value at R (S Z p + t): R turns by an angle,
    S = [[1, -sin a], [0, cos a]] on (x, y) shears by an angle a, Z stretches both
    axes, t shifts. All are uniform. What lies outside the image repeats its edge.

    Args:
      image: [height, width, channels] float32.
      seed: [2] int64 for stateless random numbers.
      shear: largest angle of the shear, in degrees.
      zoom: each axis is scaled by a separate factor in [1 - zoom, 1 + zoom].
      rotate: largest angle of the rotation, in degrees.
      shift: largest shift along each axis, as a share of that side.

    Returns:
      The image, same shape, bilinear.
    """
    draws = tf.random.stateless_uniform([6], seed, -1.0, 1.0)
    angle, slant = math.radians(rotate) * draws[0], math.radians(shear) * draws[1]
    zoom_x, zoom_y = 1 + zoom * draws[2], 1 + zoom * draws[3]
    sides = tf.cast(tf.shape(image)[1::-1], tf.float32)
    sheared = _matrix(zoom_x, -tf.sin(slant) * zoom_y, 0.0, tf.cos(slant) * zoom_y)
    turned = _matrix(tf.cos(angle), -tf.sin(angle), tf.sin(angle), tf.cos(angle))
    matrix = turned @ sheared
    center = (sides - 1) / 2
    moved = tf.linalg.matvec(turned, shift * draws[4:] * sides)
    offset = center + moved - tf.linalg.matvec(matrix, center)
    return _resampled(image, matrix, offset)


def _matrix(*values: tf.Tensor | float) -> tf.Tensor:
    """A [2, 2] matrix on (x, y), row by row."""
    return tf.reshape(tf.stack(values), [2, 2])


def _resampled(image: tf.Tensor, matrix: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
    """Each pixel at (x, y) takes the value at matrix (x, y) + offset."""
    rows = tf.concat([matrix, offset[:, None]], axis=1)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=image[None],
        transforms=tf.concat([tf.reshape(rows, [-1]), [0.0, 0.0]], 0)[None],
        output_shape=tf.shape(image)[:2],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )
    return tf.ensure_shape(moved[0], image.shape)
