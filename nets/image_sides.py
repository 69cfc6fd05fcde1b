"""How small the images of a net may be."""

import tensorflow as tf


def require_sides(images: tf.Tensor, least: int) -> None:
    """Refuses images, `[batch, height, width, channels]`, that a net has no map for.

    Args:
      images: the input; sides that are not known yet pass.
      least: number of pixels.

    Raises:
      ValueError: a side is smaller.
    """
    if any(side is not None and side < least for side in images.shape[1:3]):
        raise ValueError(f"sides must be at least {least}")
