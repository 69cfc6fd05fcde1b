import dataclasses
import gzip
import hashlib
import io
import struct
import tarfile

import numpy as np
import pytest
from PIL import Image

from convert.public_data import stock_datasets
from tests.convert.sample_photos import encode, pixels


@pytest.fixture
def put(tmp_path):
    """A function that lays a file where it is looked for, and gives its description."""

    def write(remote, data):
        (tmp_path / remote.url.rpartition("/")[2]).write_bytes(data)
        return dataclasses.replace(remote, sha256=hashlib.sha256(data).hexdigest())

    return write


def tgz(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def decoded(example):
    return np.asarray(Image.open(io.BytesIO(example.encoded)))


def test_flowers(put, tmp_path, monkeypatch):
    photos = {
        f"flower_photos/{name}/{number}.jpg": encode(pixels(10 * row + number), "JPEG")
        for row, name in enumerate(("tulips", "daisy"))
        for number in range(10)
    }
    archive = tgz({"flower_photos/LICENSE.txt": b"text", **photos})
    monkeypatch.setattr(
        stock_datasets, "_FLOWERS", put(stock_datasets._FLOWERS, archive)
    )
    monkeypatch.setattr(stock_datasets, "_FLOWERS_VALIDATION", 0.4)
    collection = stock_datasets.flowers(str(tmp_path))
    assert collection.classes == ("daisy", "tulips")
    train, validation = collection.splits["train"], collection.splits["validation"]
    assert train.filenames == tuple(
        f"flowers_train_{shard:05d}-of-00005.tfrecord" for shard in range(5)
    )
    assert validation.filenames[0].startswith("flowers_validation_00000-of-")
    seen = {}
    for split in (train, validation):
        examples = list(split.read())
        assert len(examples) == split.num_examples > 1
        for example in examples:
            assert example.encoded == photos[example.name]
            assert example.label == int("tulips" in example.name)
            seen[example.name] = split
    assert set(seen) == set(photos)
    labels = [example.label for example in train.read()]
    assert labels not in (sorted(labels), sorted(labels, reverse=True))


def test_cifar10(put, tmp_path, monkeypatch):
    images = np.stack([pixels(number, 32, 32) for number in range(5)])
    records = [
        bytes([9 - number]) + image.transpose(2, 0, 1).tobytes()
        for number, image in enumerate(images)
    ]
    archive = tgz(
        {
            "c/data_batch_2.bin": b"".join(records[2:4]),
            "c/readme.html": b"text",
            "c/test_batch.bin": records[4],
            "c/data_batch_1.bin": b"".join(records[:2]),
        }
    )
    monkeypatch.setattr(
        stock_datasets, "_CIFAR10", put(stock_datasets._CIFAR10, archive)
    )
    collection = stock_datasets.cifar10(str(tmp_path))
    assert collection.classes[0] == "airplane"
    assert collection.classes[9] == "truck"
    train, test = collection.splits["train"], collection.splits["test"]
    assert (train.filenames, test.filenames) == (
        ("cifar10_train.tfrecord",),
        ("cifar10_test.tfrecord",),
    )
    assert (train.num_examples, test.num_examples) == (4, 1)
    examples = [*train.read(), *test.read()]
    assert [example.label for example in examples] == [9, 8, 7, 6, 5]
    for example, image in zip(examples, images, strict=True):
        np.testing.assert_array_equal(decoded(example), image)


def idx(array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes())


def test_mnist(put, tmp_path, monkeypatch):
    images = np.stack([pixels(number, 28, 28, 1)[..., 0] for number in range(5)])
    labels = np.array([3, 1, 4, 1, 5])
    parts = {"train": slice(0, 3), "test": slice(3, 5)}
    known = {
        split: tuple(
            put(remote, idx(array[part]))
            for remote, array in zip(
                stock_datasets._MNIST[split], (images, labels), strict=True
            )
        )
        for split, part in parts.items()
    }
    monkeypatch.setattr(stock_datasets, "_MNIST", known)
    collection = stock_datasets.mnist(str(tmp_path))
    assert collection.classes[6] == "six"
    assert collection.num_channels == 1
    for split, part in parts.items():
        assert collection.splits[split].filenames == (f"mnist_{split}.tfrecord",)
        examples = list(collection.splits[split].read())
        assert len(examples) == collection.splits[split].num_examples
        assert [example.label for example in examples] == labels[part].tolist()
        for example, image in zip(examples, images[part], strict=True):
            np.testing.assert_array_equal(decoded(example), image)
