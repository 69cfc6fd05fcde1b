"""The InceptionV3 inside the npm package nsfwjs as a slim checkpoint.

The package keeps a Keras model's weights as eight-bit numbers, each tensor with its own
scale and minimum, base64 in minified JavaScript. Keras lays InceptionV3's convolutions
down in slim's order, so the n-th of one is the n-th of the other; shapes are checked.
The package's own classifier (dense layers for five classes) is left out: what remains
is InceptionV3 without Logits and AuxLogits, 376 variables.

    python -m tests.real.nsfwjs_inception nsfwjs-4.4.0.tgz inception_v3.ckpt
"""

import base64
import math
import pathlib
import re
import tarfile

import numpy as np

from checkpoints import slim_format
from config import app
from nets import nets_factory
from nets.network import Network

_FOLDER = "package/dist/models/inception_v3"
_WEIGHT = re.compile(
    r'\{name:"(?P<name>[^"]+)",shape:\[(?P<shape>[\de,]*)\],dtype:"float32",'
    r"quantization:\{min:(?P<min>[^,}]+),scale:(?P<scale>[^,}]+),"
    r'dtype:"uint8"\}\}'
)
_SHARD_BYTES = re.compile(r'"([A-Za-z0-9+/=]{1000,})"')
_KERAS_NAMES = {  # slim's name under a convolution's scope -> Keras' name of the n-th
    "weights": "conv2d_{}/kernel",
    "BatchNorm/beta": "batch_normalization_{}/beta",
    "BatchNorm/moving_mean": "batch_normalization_{}/moving_mean",
    "BatchNorm/moving_variance": "batch_normalization_{}/moving_variance",
}


def convert(archive: pathlib.Path, checkpoint_path: str) -> None:
    """Writes the archive's InceptionV3 as a slim checkpoint for inputs in [-1, 1].

    Args:
      archive: the package's .tgz.
      checkpoint_path: prefix of the checkpoint to write.
    """
    weights = dequantized(archive)
    _take_inputs_from_minus_one(weights)
    slim_format.write_checkpoint(checkpoint_path, _slim_variables(weights))


def dequantized(archive: pathlib.Path) -> dict[str, np.ndarray]:
    """Returns Keras weight name -> float32 values, in the order of the package."""
    with tarfile.open(archive) as package:
        manifest = _text(package, "model")
        shards = [_text(package, f"group1-shard{n}of6") for n in range(1, 7)]
    encoded = [text for shard in shards for text in _SHARD_BYTES.findall(shard)]
    values = b"".join(base64.b64decode(text) for text in encoded)

    weights, offset = {}, 0
    for weight in _WEIGHT.finditer(manifest):
        shape = tuple(int(float(size)) for size in weight["shape"].split(","))
        small = np.frombuffer(values, np.uint8, math.prod(shape), offset)
        scale, minimum = np.float32(weight["scale"]), np.float32(weight["min"])
        weights[weight["name"]] = small.reshape(shape) * scale + minimum
        offset += small.size
    if offset != len(values):
        raise ValueError(f"the manifest has {offset} values, its shards {len(values)}")
    return weights


def _text(package: tarfile.TarFile, name: str) -> str:
    member = package.extractfile(f"{_FOLDER}/{name}.min.js")
    if member is None:
        raise ValueError(f"{_FOLDER}/{name}.min.js is not a file")
    return member.read().decode()


def _take_inputs_from_minus_one(weights: dict[str, np.ndarray]) -> None:
    """Rewrites the first convolution, made for [0, 1], to take [-1, 1], in place.

    W * (x + 1) / 2 = (W / 2) * x + sum(W) / 2, and batch norm subtracts the constant.
    Exact, as the convolution has no padding.
    """
    kernel = weights["conv2d_1/kernel"]
    weights["conv2d_1/kernel"] = kernel / 2
    weights["batch_normalization_1/moving_mean"] -= kernel.sum(axis=(0, 1, 2)) / 2


def _slim_variables(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    net = Network("inception_v3", num_classes=2)
    shapes = {
        name: tuple(variable.shape)
        for name, variable in net.model_variables.items()
        if not name.startswith(nets_factory.get_entry("inception_v3").head_scopes)
    }
    scopes = [name.removesuffix("/weights") for name in shapes if "/weights" in name]
    variables = {}
    for number, scope in enumerate(scopes, start=1):
        for ours, theirs in _KERAS_NAMES.items():
            name, values = f"{scope}/{ours}", weights[theirs.format(number)]
            if values.shape != shapes[name]:
                raise ValueError(f"{name} is {shapes[name]}, got {values.shape}")
            variables[name] = values
    return variables


def main(arguments: list[str]) -> None:
    """Converts the archive named first into the checkpoint named second."""
    archive, checkpoint_path = arguments
    convert(pathlib.Path(archive), checkpoint_path)


if __name__ == "__main__":
    app.run(main, positional="ARCHIVE PREFIX")
