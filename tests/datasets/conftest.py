"""Small TFRecords made on the spot."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from datasets import example_schema

HEIGHT, WIDTH = 6, 5


def make_png(value: int) -> bytes:
    """A [6, 5, 3] photo of one grey value."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), value, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def make_record(value: int, label: int) -> bytes:
    """The example of such a photo."""
    return example_schema.build_example(make_png(value), "png", label, HEIGHT, WIDTH)


@pytest.fixture
def record() -> Callable[[int, int], bytes]:
    """The function `make_record`."""
    return make_record


@pytest.fixture
def write_records() -> Callable[[Path, Sequence[bytes]], Path]:
    """A function that writes records to a TFRecord file."""

    def write(path: Path, records: Sequence[bytes]) -> Path:
        with tf.io.TFRecordWriter(str(path)) as writer:
            for serialized in records:
                writer.write(serialized)
        return path

    return write


@pytest.fixture
def dataset_dir(tmp_path: Path, write_records: Callable) -> Path:
    """ "numbers": 9 training records in 3 files; grey value i has the label i % 3."""
    at = 0
    for shard, size in enumerate((2, 3, 4)):
        records = [make_record(value, value % 3) for value in range(at, at + size)]
        write_records(
            tmp_path / f"numbers_train_{shard:05d}-of-00003.tfrecord", records
        )
        at += size
    (tmp_path / "labels.txt").write_text("0:zero\n1:one\n2:two\n")
    return tmp_path
