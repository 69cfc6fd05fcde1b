"""Inputs and weights that anybody can reproduce, bit for bit, with NumPy alone.

The goldens were measured on them. Weights follow from a variable's name and shape, so
that a network with other names, shapes or variables has other weights.
"""

import math
import zlib

import numpy as np

_DEEP = tuple(f"efficientnet_v2_{size}" for size in ("b2", "b3", "s", "m", "l"))
_CHUNK = 2**17  # values drawn at once: as float64 they fit a CPU's cache


def images(size: int, channels: int = 3) -> np.ndarray:
    """`[2, size, size, channels]` float32 noise in [-1, 1)."""
    generator = np.random.Generator(np.random.PCG64(7))
    return generator.uniform(-1, 1, (2, size, size, channels)).astype(np.float32)


def weights(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The float32 values of the variable `name`, drawn and scaled in float64."""
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    values = np.empty(math.prod(shape), np.float32)
    for start in range(0, values.size, _CHUNK):
        chunk = values[start : start + _CHUNK]
        chunk[:] = _scaled(generator.standard_normal(chunk.size), name, shape)
    return values.reshape(shape)


def _scaled(z: np.ndarray, name: str, shape: tuple[int, ...]) -> np.ndarray:
    match name.rpartition("/")[2]:
        case "depthwise_weights":
            return z * math.sqrt(2 / math.prod(shape[:2]))
        case "weights" | "pointwise_weights" | "kernel":
            return z * math.sqrt(2 / math.prod(shape[:-1]))
        case "values" | "biases" | "bias" | "beta" | "moving_mean":
            return z * 0.1
        case "gamma":
            # Many blocks that add as much as they are given magnify rounding.
            is_deep = name.startswith(_DEEP) and "/project/" in name
            return (1 + 0.1 * z) * (0.2 if is_deep else 1)
        case "moving_variance":
            return 1 + 0.1 * np.abs(z)
        case last:
            raise ValueError(f"{name}: no recipe for {last}")
