"""Position embeddings of a vision transformer, for images of any size."""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

_SUPPORT = 2  # of the bicubic kernel, on each side


class Interpolation(NamedTuple):
    """How a grid of embeddings is brought to another size, bicubically.

    Attributes:
      sharpness: the kernel's parameter a: Keys, "Cubic Convolution Interpolation for
        Digital Image Processing", 1981, equation 4.
      antialiases: whether the kernel widens as the grid shrinks; the border then takes
        part with what of the kernel lies inside, otherwise it is repeated.
      offset: added to the new size when distances are computed.
    """

    sharpness: float
    antialiases: bool
    offset: float = 0.0


# What timm does for its transformers, and DINOv2 for those without registers.
OF_TIMM = Interpolation(-0.5, antialiases=True)
OF_DINOV2 = Interpolation(-0.75, antialiases=False, offset=0.1)


def resized(embedding: tf.Tensor, side: int, how: Interpolation) -> tf.Tensor:
    """The embeddings of a square grid of another size.

    Args:
      embedding: `[1, n * n, channels]` float32, row by row.
      side: the side of the new grid.
      how: see `Interpolation`.

    Returns:
      `[1, side * side, channels]` float32.
    """
    _, places, depth = embedding.shape
    old = math.isqrt(places)
    if old == side:
        return embedding
    weights = tf.constant(matrix(old, side, how))
    grid = tf.reshape(embedding, [old, old * depth])
    rows = tf.reshape(weights @ grid, [side, old, depth])
    return tf.reshape(weights @ rows, [1, side * side, depth])


def matrix(old: int, new: int, how: Interpolation) -> np.ndarray:
    """The `[new, old]` float32 weights of interpolation along one side.

    >>> matrix(2, 2, OF_TIMM).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    step = old / (new + how.offset)
    width = max(step, 1.0) if how.antialiases else 1.0
    weights = np.zeros((new, old))
    for i in range(new):
        center = (i + 0.5) * step - 0.5
        first = math.floor(center - _SUPPORT * width)
        for place in range(first, math.ceil(center + _SUPPORT * width) + 1):
            weight = _kernel(abs(center - place) / width, how.sharpness)
            if 0 <= place < old or not how.antialiases:
                weights[i, min(max(place, 0), old - 1)] += weight
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def _kernel(distance: float, a: float) -> float:
    if distance < 1:
        return (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    if distance < _SUPPORT:
        return a * (distance**3 - 5 * distance**2 + 8 * distance - 4)
    return 0.0
