import json
import os

import pytest
import tensorflow as tf

from common.atomic_files import sha256
from datasets.records import record_counts
from errors import UserError

FILES = [f"numbers_train_{shard:05d}-of-00003.tfrecord" for shard in range(3)]


def count(folder, names):
    return record_counts.count(str(folder), {n: sha256(folder / n) for n in names})


@pytest.fixture
def reads(monkeypatch):
    """The files that were read to be counted."""
    read: list[str] = []
    count_labels = record_counts._count_labels

    def spy(paths):
        read.extend(os.path.basename(path) for path in paths)
        return count_labels(paths)

    monkeypatch.setattr(record_counts, "_count_labels", spy)
    return read


def test_records_and_labels_are_counted(dataset_dir):
    counts = count(dataset_dir, FILES)
    assert [file.num_records for file in counts] == [2, 3, 4]
    assert [file.sha256 for file in counts] == [
        sha256(dataset_dir / name) for name in FILES
    ]
    assert [dict(file.labels) for file in counts] == [
        {0: 1, 1: 1},
        {0: 1, 1: 1, 2: 1},
        {0: 1, 1: 1, 2: 2},
    ]


def test_counts_are_remembered(dataset_dir, reads):
    first = count(dataset_dir, FILES)
    assert reads == FILES
    assert count(dataset_dir, FILES) == first
    assert reads == FILES


def test_a_changed_file_is_counted_again(dataset_dir, reads, write_records, record):
    count(dataset_dir, FILES)
    path = dataset_dir / FILES[1]
    size = path.stat().st_size
    # Same name and size, other content; the time of change is left as it was.
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    write_records(path, [record(value, 2) for value in (2, 3, 4)])
    os.utime(path, ns=times)
    assert path.stat().st_size == size
    counts = count(dataset_dir, FILES)
    assert dict(counts[1].labels) == {2: 3}
    assert reads == [*FILES, FILES[1]]


def test_a_record_without_a_label_is_counted_apart(tmp_path, write_records):
    write_records(tmp_path / "a", [tf.train.Example().SerializeToString()])
    for _ in range(2):  # counted, then remembered
        (counts,) = count(tmp_path, ["a"])
        assert dict(counts.labels) == {None: 1}


@pytest.mark.parametrize("content", ["", "[]", '{"format_version": 1}', "null"])
def test_a_damaged_side_file_is_rewritten(dataset_dir, content):
    side_file = dataset_dir / record_counts.FILENAME
    side_file.write_text(content)
    counts = count(dataset_dir, FILES)
    assert sum(file.num_records for file in counts) == 9
    assert set(json.loads(side_file.read_text())["files"]) == set(FILES)


def test_a_read_only_directory_will_do(dataset_dir, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "replace", refuse)
    counts = count(dataset_dir, FILES)
    assert sum(file.num_records for file in counts) == 9
    assert not (dataset_dir / record_counts.FILENAME).exists()


def test_no_tfrecord_is_named(tmp_path):
    (tmp_path / "a").write_bytes(b"this is no TFRecord at all")
    with pytest.raises(UserError, match=r"a, record 0 .*checksum"):
        count(tmp_path, ["a"])


@pytest.mark.parametrize("kept", [5, 11, 12, 20])
def test_a_truncated_file_is_named(tmp_path, write_records, record, kept):
    path = write_records(tmp_path / "a", [record(0, 0), record(1, 1)])
    whole = 16 + len(record(0, 0))
    path.write_bytes(path.read_bytes()[: whole + kept])
    with pytest.raises(UserError, match=r"a, record 1 .*the file ends within it"):
        count(tmp_path, ["a"])


def test_a_record_that_is_no_example_is_named(tmp_path, write_records, record):
    write_records(tmp_path / "a", [record(0, 0), b"\xff\xff"])
    with pytest.raises(UserError, match=r"a, record 1 .*not a tf\.train\.Example"):
        count(tmp_path, ["a"])
