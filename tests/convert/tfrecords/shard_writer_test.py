import hashlib
import os

import pytest
import tensorflow as tf

from common import atomic_files
from convert.tfrecords import shard_writer
from convert.tfrecords.source_photo import Checked, Source
from errors import UserError
from tests.convert.sample_photos import encode, pixels


@pytest.fixture
def write(tmp_path):
    """A function that writes photos of the given bytes and returns what it said."""

    def run(data, *, num_shards=2, spilled=(), changed=()):
        photos = []
        for index, encoded in enumerate(data):
            path = tmp_path / f"{index}.jpg"
            path.write_bytes(encoded)
            source = Source(str(path), f"{index}.jpg", "ab"[index % 2], None, 1)
            checked = b"another" if index in changed else encoded
            digest = hashlib.sha256(checked).hexdigest()
            suffix = "png" if encoded[:2] == b"\x89P" else "jpg"
            spill = str(path) if index in spilled else None
            photos.append(Checked(source, digest, suffix, 6, 5, spill, digest))
        return shard_writer.write_split(
            photos,
            str(tmp_path),
            "pets_train",
            class_names=("a", "b"),
            num_shards=num_shards,
            num_threads=2,
        )

    return run


def read(directory, split):
    """The features of all records, in the order of the files."""
    paths = [os.path.join(directory, shard.file) for shard in split.shards]
    return [
        tf.train.Example.FromString(record.numpy()).features.feature
        for record in tf.data.TFRecordDataset(paths)
    ]


PHOTOS = [encode(pixels(seed), "JPEG" if seed % 3 else "PNG") for seed in range(5)]


def test_records_keep_order_and_bytes(write, tmp_path):
    split = write(PHOTOS, num_shards=2)
    features = read(tmp_path, split)
    assert [f["image/encoded"].bytes_list.value[0] for f in features] == PHOTOS
    assert [f["image/class/label"].int64_list.value[0] for f in features] == [
        0,
        1,
        0,
        1,
        0,
    ]
    assert [f["image/format"].bytes_list.value[0] for f in features] == [
        b"png",
        b"jpg",
        b"jpg",
        b"png",
        b"jpg",
    ]
    assert {f["image/height"].int64_list.value[0] for f in features} == {6}
    assert {f["image/width"].int64_list.value[0] for f in features} == {5}
    assert features[4]["image/filename"].bytes_list.value[0] == b"4.jpg"


def test_the_split_is_described(write, tmp_path):
    split = write(PHOTOS, num_shards=2)
    assert (split.num_examples, split.class_counts) == (5, (3, 2))
    assert [shard.file for shard in split.shards] == [
        "pets_train_00000-of-00002.tfrecord",
        "pets_train_00001-of-00002.tfrecord",
    ]
    assert [shard.records for shard in split.shards] == [2, 3]
    for shard in split.shards:
        path = str(tmp_path / shard.file)
        assert (shard.bytes, shard.sha256) == (
            os.path.getsize(path),
            atomic_files.sha256(path),
        )


def test_no_more_files_than_photos(write):
    split = write(PHOTOS[:3], num_shards=5)
    assert [shard.records for shard in split.shards] == [1, 1, 1]
    assert split.shards[0].file.endswith("_00000-of-00003.tfrecord")


def test_spilled_photos_are_used_up(write, tmp_path):
    split = write(PHOTOS, spilled=(1, 3))
    assert len(read(tmp_path, split)) == 5
    assert not (tmp_path / "1.jpg").exists()
    assert not (tmp_path / "3.jpg").exists()
    assert (tmp_path / "0.jpg").exists()


def test_a_photo_that_changed_is_named(write):
    with pytest.raises(UserError, match=r"3\.jpg changed during the conversion"):
        write(PHOTOS, changed=(3,))


def test_a_directory_that_cannot_be_written_is_named(write, monkeypatch):
    def fail(path):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tf.io, "TFRecordWriter", fail)
    with pytest.raises(UserError, match=r"00002\.tfrecord cannot be written: No space"):
        write(PHOTOS)
