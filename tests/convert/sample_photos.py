"""Photos made on the spot, for tests."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from datasets import example_schema, labels


def pixels(seed: int, height: int = 6, width: int = 5, channels: int = 3) -> np.ndarray:
    """Random uint8 pixels, [height, width, channels]."""
    shape = (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def encode(image: Image.Image | np.ndarray, file_format: str, **options: Any) -> bytes:
    """The bytes of an image file."""
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def make_folder(
    root: Path, classes: Sequence[str] = ("cat", "dog"), number: int = 4
) -> Path:
    """A folder a class, each with different PNG files called 0.png, 1.png, …"""
    seed = 0
    for name in classes:
        (root / name).mkdir(parents=True)
        for index in range(number):
            (root / name / f"{index}.png").write_bytes(encode(pixels(seed), "PNG"))
            seed += 1
    return root


def record(label: int, encoded: bytes, name: str | None = None) -> bytes:
    """The serialized example of an image file; readers do not look at its size."""
    return example_schema.build_example(encoded, "", label, 0, 0, name)


def write_dataset(
    directory: Path, classes: Sequence[str] = ("cat", "dog"), **splits: Sequence[bytes]
) -> Path:
    """Records of a dataset "pets", a file a split, with labels.txt."""
    directory.mkdir()
    labels.write(str(directory), classes)
    for split, records in splits.items():
        path = directory / f"pets_{split}_00000-of-00001.tfrecord"
        with tf.io.TFRecordWriter(str(path)) as writer:
            for serialized in records:
                writer.write(serialized)
    return directory
