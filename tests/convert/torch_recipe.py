"""State dictionaries and images that NumPy alone reproduces, bit for bit."""

import json
import math
import pathlib
import zlib

import numpy as np

FOLDER = pathlib.Path(__file__).parent / "torch_golden"
CLASSES = 7


def images(size):
    """`[2, size, size, 3]` float32 noise in [-1, 1)."""
    generator = np.random.Generator(np.random.PCG64(7))
    return generator.uniform(-1, 1, (2, size, size, 3)).astype(np.float32)


def state(shapes):
    """Parameters that follow from their names and shapes, and counts of batch norms."""
    counts = {
        name.removesuffix("running_mean") + "num_batches_tracked": np.array(7)
        for name in shapes
        if name.endswith("running_mean")
    }
    return {name: _values(name, shape) for name, shape in shapes.items()} | counts


def _values(name, shape):
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    z = generator.standard_normal(shape)
    match name.rpartition(".")[2]:
        case "running_var":
            z = 1 + 0.1 * abs(z)
        case "running_mean" | "bias":
            z = 0.1 * z
        case "weight" if len(shape) == 1:
            z = 1 + 0.1 * z
        case _:
            z = z * math.sqrt(2 / math.prod(shape[1:]))
    return z.astype(np.float32)


def golden(name):
    """What a library computed: image_size, shapes by parameter name, logits."""
    return json.loads((FOLDER / f"{name}.json").read_text())
