"""Mixup and CutMix: each image of a batch is mixed with another, and so are the labels.

Zhang et al., "mixup: Beyond Empirical Risk Minimization",
https://arxiv.org/abs/1710.09412; Yun et al., "CutMix: Regularization Strategy to Train
Strong Classifiers with Localizable Features", https://arxiv.org/abs/1905.04899. Both
run on preprocessed batches, with labels as rows of probabilities. The other image comes
from a random permutation of the batch, and may be the same.
"""

import tensorflow as tf


def mixup(
    images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor, alpha: float = 0.2
) -> tuple[tf.Tensor, tf.Tensor]:
    """Blends images and labels; a pure function of the batch and the seed.

    Args:
      images: [batch, height, width, channels] float32.
      labels: [batch, classes] float32, rows of sum 1.
      seed: [2] int64 for stateless random numbers.
      alpha: parameter of the Beta(alpha, alpha) distribution of each image's own
        weight; above 0. Small values mix little.

    Returns:
      Images and labels, same shapes.
    """
    order, share, _ = _draw(tf.shape(images)[0], seed, alpha)
    return _blend(images, order, share[:, None, None, None]), _blend(
        labels, order, share[:, None]
    )


def cutmix(
    images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor, alpha: float = 1.0
) -> tuple[tf.Tensor, tf.Tensor]:
    """Pastes a rectangle of another image; a pure function of the batch and the seed.

    The rectangle has the aspect ratio of the image and its center anywhere, clipped to
    the image. Labels are weighted by the number of pixels.

    Args:
      images: [batch, height, width, channels] float32.
      labels: [batch, classes] float32, rows of sum 1.
      seed: [2] int64 for stateless random numbers.
      alpha: parameter of the Beta(alpha, alpha) distribution of each image's own
        fraction of the area; above 0.

    Returns:
      Images and labels, same shapes.
    """
    shape = tf.shape(images)
    order, share, center_seed = _draw(shape[0], seed, alpha)
    center = tf.random.stateless_uniform([shape[0], 2], center_seed)

    def inside(axis: int) -> tf.Tensor:
        """[batch, length] bool: the pixels of one axis that the rectangle covers."""
        length = tf.cast(shape[1 + axis], tf.float32)
        middle = tf.floor(center[:, axis, None] * length)
        half = tf.floor(length * tf.sqrt(1 - share)) / 2
        pixel = tf.range(length)
        return (pixel >= tf.floor(middle - half[:, None])) & (
            pixel < tf.floor(middle + half[:, None])
        )

    outside = 1 - tf.cast(inside(0)[:, :, None] & inside(1)[:, None, :], images.dtype)
    share = tf.reduce_mean(outside, axis=[1, 2])
    return _blend(images, order, outside[..., None]), _blend(
        labels, order, share[:, None]
    )


def mix(
    images: tf.Tensor,
    labels: tf.Tensor,
    seed: tf.Tensor,
    mixup_alpha: float,
    cutmix_alpha: float,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Mixup or CutMix; if both are on, one of them, equally likely, for each batch.

    Args:
      images: [batch, height, width, channels] float32.
      labels: [batch, classes] float32, rows of sum 1.
      seed: [2] int64 for stateless random numbers.
      mixup_alpha: see `mixup`; 0 turns it off.
      cutmix_alpha: see `cutmix`; 0 turns it off.

    Returns:
      Images and labels, same shapes.
    """
    which_seed, seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    methods = [
        lambda method=method, alpha=alpha: method(images, labels, seed, alpha)
        for method, alpha in ((mixup, mixup_alpha), (cutmix, cutmix_alpha))
        if alpha
    ]
    if not methods:
        return images, labels
    which = tf.random.stateless_uniform([], which_seed, 0, len(methods), tf.int32)
    return tf.switch_case(which, methods)


def _draw(
    batch: tf.Tensor, seed: tf.Tensor, alpha: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """A permutation, each image's own weight, and a seed for further draws."""
    order_seed, one_seed, other_seed, more_seed = tf.unstack(
        tf.random.experimental.stateless_split(seed, 4)
    )
    order = tf.random.experimental.stateless_shuffle(tf.range(batch), order_seed)
    one, other = (
        tf.random.stateless_gamma([batch], gamma_seed, alpha)
        for gamma_seed in (one_seed, other_seed)
    )
    # The ratio of two gamma variates is a beta variate.
    return order, tf.math.divide_no_nan(one, one + other), more_seed


def _blend(values: tf.Tensor, order: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    return share * values + (1 - share) * tf.gather(values, order)
