"""A data set of red, green and blue images."""

import io
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from PIL import Image

from datasets import dataset_factory, example_schema
from datasets.dataset import Dataset

NAME = "colours"
SIDE = 8
BRIGHTNESS = 200


def write_split(
    folder: pathlib.Path,
    split: str,
    colours: Sequence[int],
    labels: Sequence[int],
    *,
    filenames: Sequence[str | None] = (),
    class_names: Sequence[str] = ("red", "green", "blue"),
    shaded: bool = False,
) -> pathlib.Path:
    """Writes images of the colours (0 red, 1 green, 2 blue), the first 3 in a shard.

    Shaded ones are dark on the left, plain ones the same everywhere.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = (f"{label}:{name}\n" for label, name in enumerate(class_names))
    (folder / "labels.txt").write_text("".join(lines), encoding="utf-8")
    filenames = filenames or [None] * len(colours)
    rows = list(zip(colours, labels, filenames, strict=True))
    for shard, part in enumerate((rows[:3], rows[3:])):
        path = folder / f"{NAME}_{split}_{shard:05d}-of-00002.tfrecord"
        with tf.io.TFRecordWriter(str(path)) as writer:
            for colour, label, filename in part:
                writer.write(
                    example_schema.build_example(
                        _png(colour, shaded), "png", label, SIDE, SIDE, filename
                    )
                )
    return folder


def get_split(folder: pathlib.Path, split: str) -> Dataset:
    """The record of a split that `write_split` wrote."""
    return dataset_factory.get_dataset(NAME, split, str(folder))


def _png(colour: int, shaded: bool) -> bytes:
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    first = 0 if shaded else BRIGHTNESS
    pixels[..., colour] = np.linspace(first, BRIGHTNESS, SIDE)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
