"""Places of records: found once, and noted beside the files."""

import dataclasses

import pytest
import tensorflow as tf

from datasets.dataset import Dataset, Shard
from datasets.records.record_index import RecordIndex
from errors import UserError

RECORDS = [[b"a", b"", b"ccc"], [b"dd", b"eeeee"]]


@pytest.fixture
def dataset(tmp_path):
    shards = []
    for number, records in enumerate(RECORDS):
        path = str(tmp_path / f"{number}.tfrecord")
        with tf.io.TFRecordWriter(path) as writer:
            for record in records:
                writer.write(record)
        shards.append(Shard(path, len(records), 0))
    return Dataset(
        *("letters", "train", str(tmp_path), tuple(shards), 5, 1, None, (5,)),
        fingerprint="f" * 32,
    )


def read_all(dataset):
    index = RecordIndex(dataset)
    return [
        index.read(tf.constant(i, tf.int64)).numpy()
        for i in range(dataset.num_examples)
    ]


def test_records_are_read_by_number(dataset):
    assert read_all(dataset) == [b"a", b"", b"ccc", b"dd", b"eeeee"]


def test_bad_records_are_left_out(dataset):
    shards = (
        dataclasses.replace(dataset.shards[0], bad_records=(1,)),
        dataset.shards[1],
    )
    without = dataclasses.replace(dataset, shards=shards, num_examples=4)
    assert read_all(without) == [b"a", b"ccc", b"dd", b"eeeee"]


def test_what_was_found_is_noted(dataset, monkeypatch):
    read_all(dataset)
    monkeypatch.setattr("datasets.records.record_frames.places", None)
    assert read_all(dataset)[2] == b"ccc"


def test_a_file_that_lost_records_is_refused(dataset):
    path = dataset.shards[1].path
    with open(path, "r+b") as file:
        file.truncate(20)
    with pytest.raises(UserError, match=r"holds 1 whole records where 2 were counted"):
        RecordIndex(dataset)
