"""slim's small data sets, with slim's file names: flowers, cifar10 and mnist."""

import functools
import gzip
import hashlib
import io
import os
import struct
import tarfile
from collections.abc import Iterator

import numpy as np
from PIL import Image

from convert.photos import splits
from convert.public_data.collection import (
    Collection,
    Example,
    Remote,
    Split,
    fetch,
    shard_names,
)

_FLOWERS = Remote(
    "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz",
    "4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c",
)
_FLOWERS_VALIDATION = 350 / 3670  # slim uses 350 of them
_FLOWERS_SHARDS = 5

_CIFAR10 = Remote(
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
)
_CIFAR10_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
_CIFAR10_SIDE = 32

# yann.lecun.com, slim's source, no longer serves them to programs.
_MNIST_URL = "https://storage.googleapis.com/cvdf-datasets/mnist/"
_MNIST = {
    "train": (
        Remote(
            f"{_MNIST_URL}train-images-idx3-ubyte.gz",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        Remote(
            f"{_MNIST_URL}train-labels-idx1-ubyte.gz",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
    ),
    "test": (
        Remote(
            f"{_MNIST_URL}t10k-images-idx3-ubyte.gz",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        Remote(
            f"{_MNIST_URL}t10k-labels-idx1-ubyte.gz",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
}
_MNIST_CLASSES = (
    *("zero", "one", "two", "three", "four"),
    *("five", "six", "seven", "eight", "nine"),
)


def flowers(data_dir: str) -> Collection:
    """Five kinds of flowers; a photo's split depends only on its bytes."""
    fractions = splits.Fractions(_FLOWERS_VALIDATION, 0.0)
    found: dict[str, list[tuple[str, str, bytes]]] = {"train": [], "validation": []}
    with tarfile.open(fetch(_FLOWERS, data_dir)) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isreg() else None
            if file is None or member.name.count("/") != 2:
                continue  # folders, and the license next to them
            encoded = file.read()
            digest = hashlib.sha256(encoded).hexdigest()
            split = splits.split_by_content(digest, 0, fractions)
            found[split].append((digest, member.name, encoded))
    names = [name for group in found.values() for _, name, _ in group]
    classes = tuple(sorted({name.split("/")[1] for name in names}))

    def read(split: str) -> Iterator[Example]:
        for _, name, encoded in sorted(found[split]):  # by digest, a random order
            yield Example(encoded, classes.index(name.split("/")[1]), name)

    pattern = "flowers_{}_%05d-of-%05d.tfrecord"
    return Collection(
        classes,
        {
            split: Split(
                shard_names(pattern.format(split), _FLOWERS_SHARDS, len(group)),
                len(group),
                functools.partial(read, split),
            )
            for split, group in found.items()
        },
    )


def cifar10(data_dir: str) -> Collection:
    """Small color images of ten classes."""
    found: dict[str, list[bytes]] = {"train": [], "test": []}
    with tarfile.open(fetch(_CIFAR10, data_dir)) as archive:
        for member in sorted(archive, key=lambda member: member.name):
            file = archive.extractfile(member) if member.name.endswith(".bin") else None
            if file is not None:
                is_test = os.path.basename(member.name) == "test_batch.bin"
                found["test" if is_test else "train"].append(file.read())

    def read(split: str) -> Iterator[Example]:
        records = np.frombuffer(b"".join(found[split]), np.uint8)
        # One byte for the label, then the red, green and blue planes.
        for number, record in enumerate(records.reshape(-1, _record_bytes())):
            planes = record[1:].reshape(3, _CIFAR10_SIDE, _CIFAR10_SIDE)
            yield Example(_png(planes.transpose(1, 2, 0)), int(record[0]), f"{number}")

    return Collection(
        _CIFAR10_CLASSES,
        {
            split: Split(
                (f"cifar10_{split}.tfrecord",),
                sum(map(len, parts)) // _record_bytes(),
                functools.partial(read, split),
            )
            for split, parts in found.items()
        },
    )


def _record_bytes() -> int:
    return 1 + 3 * _CIFAR10_SIDE**2


def mnist(data_dir: str) -> Collection:
    """Gray images of handwritten digits."""
    found = {
        split: tuple(_idx(fetch(remote, data_dir)) for remote in remotes)
        for split, remotes in _MNIST.items()
    }

    def read(split: str) -> Iterator[Example]:
        for number, (image, label) in enumerate(zip(*found[split], strict=True)):
            yield Example(_png(image), int(label), f"{number}")

    return Collection(
        _MNIST_CLASSES,
        {
            split: Split(
                (f"mnist_{split}.tfrecord",),
                len(labels),
                functools.partial(read, split),
            )
            for split, (_, labels) in found.items()
        },
        num_channels=1,
    )


def _idx(path: str) -> np.ndarray:
    """Reads an array of bytes in the IDX format of MNIST.

    Two zero bytes, 8 for "unsigned byte", the number of axes, the size of each in four
    bytes, big-endian, and the values.
    """
    with gzip.open(path) as file:
        data = file.read()
    rank = data[3]
    shape = struct.unpack_from(f">{rank}I", data, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
