"""Inputs and weights that everybody can make anew, bit for bit, from NumPy alone.

The goldens were measured on them. Weights follow from a variable's name and shape, so
that a network with other names, shapes or variables has other weights.
"""

import math
import zlib

import numpy as np


def images(size: int, channels: int = 3) -> np.ndarray:
    """`[2, size, size, channels]` float32 noise in [-1, 1)."""
    generator = np.random.Generator(np.random.PCG64(7))
    return generator.uniform(-1, 1, (2, size, size, channels)).astype(np.float32)


def weights(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The float32 values of the variable `name`, drawn and scaled in float64."""
    seed = zlib.crc32(name.encode())
    z = np.random.Generator(np.random.PCG64(seed)).standard_normal(shape)
    match name.rpartition("/")[2]:
        case "depthwise_weights":
            z *= math.sqrt(2 / math.prod(shape[:2]))
        case "weights" | "pointwise_weights" | "kernel":
            z *= math.sqrt(2 / math.prod(shape[:-1]))
        case "biases" | "bias" | "beta" | "moving_mean":
            z *= 0.1
        case "gamma":
            z = 1 + 0.1 * z
        case "moving_variance":
            z = 1 + 0.1 * np.abs(z)
        case last:
            raise ValueError(f"{name}: no recipe for {last}")
    return z.astype(np.float32)
