import errno
import hashlib
import multiprocessing
import os

import pytest
import tensorflow as tf

from common import atomic_files
from convert.photos import writing
from convert.tfrecords.shards import shards_of
from convert.tfrecords.source_photo import Checked, Source
from errors import UserError
from tests.convert.sample_photos import encode, pixels


@pytest.fixture
def write(tmp_path):
    """A function that writes photos of the given bytes and returns what it said."""

    def run(data, *, num_shards=2, num_workers=0, spilled=(), changed=(), keeps=False):
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
        shards = shards_of("pets", {"train": photos}, num_shards)
        classes = ("a", "b")
        written = writing.write_all(
            shards, str(tmp_path), classes, num_workers=num_workers, keeps=keeps
        )
        return sorted(written, key=lambda shard: shard.file)

    return run


def read(directory, written):
    """The features of all records, in the order of the files."""
    paths = [os.path.join(directory, shard.file) for shard in written]
    return [
        tf.train.Example.FromString(record.numpy()).features.feature
        for record in tf.data.TFRecordDataset(paths)
    ]


PHOTOS = [encode(pixels(seed), "JPEG" if seed % 3 else "PNG") for seed in range(5)]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_records_keep_order_and_bytes(write, tmp_path, num_workers):
    features = read(tmp_path, write(PHOTOS, num_shards=2, num_workers=num_workers))
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


@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_files_are_described(write, tmp_path, num_workers):
    written = write(PHOTOS, num_shards=2, num_workers=num_workers)
    assert [shard.file for shard in written] == [
        "pets_train_00000-of-00002.tfrecord",
        "pets_train_00001-of-00002.tfrecord",
    ]
    assert [shard.records for shard in written] == [2, 3]
    for shard in written:
        path = str(tmp_path / shard.file)
        assert (shard.bytes, shard.sha256) == (
            os.path.getsize(path),
            atomic_files.sha256(path),
        )


def test_no_more_files_than_photos(write):
    written = write(PHOTOS[:3], num_shards=5)
    assert [shard.records for shard in written] == [1, 1, 1]
    assert written[0].file.endswith("_00000-of-00003.tfrecord")


@pytest.mark.parametrize("keeps", [False, True])
def test_spilled_photos_are_used_up(write, tmp_path, keeps):
    written = write(PHOTOS, spilled=(1, 3), keeps=keeps)
    assert len(read(tmp_path, written)) == 5
    assert (tmp_path / "1.jpg").exists() == keeps
    assert (tmp_path / "3.jpg").exists() == keeps
    assert (tmp_path / "0.jpg").exists()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_photo_that_changed_is_named(write, num_workers):
    with pytest.raises(UserError, match=r"3\.jpg changed during the conversion"):
        write(PHOTOS, changed=(3,), num_workers=num_workers)


def test_an_error_ends_the_writing_of_many_large_files(write, tmp_path):
    photos = [PHOTOS[0]] * 3000  # whose descriptions fill a pipe several times
    with pytest.raises(UserError, match=r"2999\.jpg changed during the conversion"):
        write(photos, changed=(2999,), num_shards=6, num_workers=2)
    assert multiprocessing.active_children() == []


def test_photos_are_read_side_by_side_where_files_are_few(write, tmp_path):
    features = read(tmp_path, write(PHOTOS, num_shards=1, num_workers=3))
    assert [f["image/encoded"].bytes_list.value[0] for f in features] == PHOTOS


def test_a_full_disk_is_told(write, monkeypatch):
    def fail(path):
        raise tf.errors.ResourceExhaustedError(None, None, "no space")

    monkeypatch.setattr(tf.io, "TFRecordWriter", fail)
    with pytest.raises(OSError, match="No space left on device") as raised:
        write(PHOTOS)
    assert raised.value.errno == errno.ENOSPC
    assert raised.value.filename.endswith("00002.tfrecord")


def test_a_full_disk_of_a_worker_is_told(write, tmp_path):
    (tmp_path / "pets_train_00001-of-00002.tfrecord").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device") as raised:
        write(PHOTOS, num_workers=2)
    assert raised.value.errno == errno.ENOSPC


def test_a_directory_that_is_not_there_is_named(write, tmp_path, monkeypatch):
    def fail(path):
        raise tf.errors.NotFoundError(None, None, "no such folder")

    monkeypatch.setattr(tf.io, "TFRecordWriter", fail)
    with pytest.raises(UserError, match=r"00002\.tfrecord cannot be written: no such"):
        write(PHOTOS)


def test_progress_counts_photos(write, caplog, monkeypatch):
    monkeypatch.setattr("common.progress._SECS_BETWEEN_LINES", 0.0)
    with caplog.at_level("INFO"):
        write(PHOTOS, num_workers=2)
    assert "writing: 5 of 5 photos" in caplog.text
