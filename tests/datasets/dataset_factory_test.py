import json
import struct

import pytest
import tensorflow as tf

from common import atomic_files
from datasets import dataset_factory, dataset_json, dataset_spec
from datasets.dataset_factory import DatasetSpec
from datasets.dataset_json import DatasetInfo, ShardInfo, SplitInfo
from datasets.records import record_counts, record_frames
from errors import UserError


def get(directory, name="numbers", split="train"):
    return dataset_factory.get_dataset(name, split, str(directory))


def test_labels_and_records_need_no_code(dataset_dir):
    dataset = get(dataset_dir)
    assert (dataset.name, dataset.split_name) == ("numbers", "train")
    assert dataset.num_examples == 9
    assert dataset.num_classes == 3
    assert dataset.class_names == ("zero", "one", "two")
    assert dataset.class_counts == (3, 3, 3)
    assert dataset.num_channels == 3
    assert [shard.num_records for shard in dataset.shards] == [2, 3, 4]
    for shard in dataset.shards:
        with open(shard.path, "rb") as file:
            assert len(file.read()) == shard.num_bytes
    assert dataset_factory.available_splits("numbers", str(dataset_dir)) == ("train",)


def test_records_are_counted_once(dataset_dir, monkeypatch):
    first = get(dataset_dir)
    monkeypatch.setattr(record_counts, "_count_labels", None)  # would fail
    assert get(dataset_dir) == first


@pytest.fixture
def described_dir(dataset_dir):
    """The same, with dataset.json instead of labels.txt."""
    shards = tuple(
        ShardInfo(
            path.name, records, path.stat().st_size, atomic_files.sha256(str(path))
        )
        for path, records in zip(
            sorted(dataset_dir.glob("*.tfrecord")), (2, 3, 4), strict=True
        )
    )
    splits = {"train": SplitInfo(9, (3, 3, 3), shards)}
    info = DatasetInfo("numbers", ("zero", "one", "two"), splits)
    dataset_json.write(str(dataset_dir), info)
    (dataset_dir / "labels.txt").unlink()
    return dataset_dir


def test_dataset_json_needs_no_code_and_no_count(
    dataset_dir, described_dir, monkeypatch
):
    monkeypatch.setattr(record_counts, "count", None)  # would fail
    described = get(described_dir)
    assert described.class_counts == (3, 3, 3)
    assert described.num_examples == 9
    assert described.class_names == ("zero", "one", "two")
    assert [shard.num_records for shard in described.shards] == [2, 3, 4]


def test_both_ways_to_describe_give_the_same(dataset_dir, described_dir):
    described = get(described_dir)
    (dataset_dir / "dataset.json").unlink()
    (dataset_dir / "labels.txt").write_text("0:zero\n1:one\n2:two\n")
    assert get(dataset_dir) == described


def test_the_fingerprint_follows_the_records(dataset_dir, write_records, record):
    before = get(dataset_dir).fingerprint
    assert get(dataset_dir).fingerprint == before
    path = dataset_dir / "numbers_train_00001-of-00003.tfrecord"
    write_records(path, [record(9, 0), record(3, 0), record(4, 1)])
    assert get(dataset_dir).fingerprint != before


SLIM_FILES = {
    "cifar10": ["cifar10_train.tfrecord", "cifar10_test.tfrecord"],
    "mnist": ["mnist_train.tfrecord", "mnist_test.tfrecord"],
    "flowers": [
        "flowers_train_00000-of-00002.tfrecord",
        "flowers_train_00001-of-00002.tfrecord",
        "flowers_validation_00000-of-00001.tfrecord",
    ],
    "imagenet": ["train-00000-of-00001", "validation-00000-of-00001"],
    "visualwakewords": ["train.record-00000-of-00001", "val.record-00000-of-00001"],
}


@pytest.mark.parametrize(
    ("name", "splits", "num_classes", "num_channels"),
    [
        ("cifar10", ("test", "train"), 10, 3),
        ("flowers", ("train", "validation"), 5, 3),
        ("imagenet", ("train", "validation"), 1001, 3),
        ("mnist", ("test", "train"), 10, 1),
        ("visualwakewords", ("train", "val"), 2, 3),
    ],
)
def test_slims_own_datasets(
    tmp_path, write_records, record, name, splits, num_classes, num_channels
):
    for number, filename in enumerate(SLIM_FILES[name]):
        write_records(tmp_path / filename, [record(0, number % 2)] * (number + 1))
    assert dataset_factory.available_splits(name, str(tmp_path)) == splits
    dataset = get(tmp_path, name)
    assert dataset.num_classes == num_classes
    assert dataset.num_channels == num_channels
    assert (dataset.class_names is not None) == (name == "imagenet")
    assert dataset.num_examples == (3 if name == "flowers" else 1)
    assert dataset.class_counts[0] == 1
    (tmp_path / "labels.txt").write_text("0:a\n1:b\n2:c\n")
    assert get(tmp_path, name).class_names == ("a", "b", "c")


@pytest.mark.parametrize("name", ["cifar10", "flowers", "mnist"])
def test_a_record_without_a_label_has_slims_default(tmp_path, write_records, name):
    bare = tf.train.Example().SerializeToString()
    write_records(tmp_path / SLIM_FILES[name][-1], [bare, bare])
    split = dataset_factory.available_splits(name, str(tmp_path))[0]
    assert get(tmp_path, name, split).class_counts[:2] == (2, 0)


def test_a_record_without_a_label_is_an_error_elsewhere(dataset_dir, write_records):
    path = dataset_dir / "numbers_test.tfrecord"
    write_records(path, [tf.train.Example().SerializeToString()])
    with pytest.raises(
        UserError, match=r"test\.tfrecord, record 0 .*it has no 'image/c"
    ):
        get(dataset_dir, split="test")


@pytest.mark.parametrize(
    "filename",
    [
        "mine_test_00000-of-00001.tfrecord",
        "mine_test_00000-of-00001",
        "mine-test-00000-of-00001.tfrecord",
        "mine_test.tfrecord",
        "mine_test_a.tfrecord",
        "test-00000-of-00001",
        "test-00000-of-00001.tfrecord",
        "test.record-00000-of-00001",
    ],
)
def test_usual_file_names_are_understood(tmp_path, write_records, record, filename):
    write_records(tmp_path / filename, [record(0, 0)])
    (tmp_path / "labels.txt").write_text("0:a\n1:b\n")
    (tmp_path / ".test-00000-of-00001").write_text("hidden")
    assert dataset_factory.available_splits("mine", str(tmp_path)) == ("test",)
    assert get(tmp_path, "mine", "test").num_examples == 1


def test_a_registered_dataset(tmp_path, write_records, record, monkeypatch):
    monkeypatch.setattr(dataset_spec, "_REGISTRY", {})
    spec = DatasetSpec("%s.rec", ("train", "dev"), 4, num_channels=1)
    dataset_factory.register_dataset("grey", spec)
    dataset_factory.register_dataset("grey", spec)
    write_records(tmp_path / "dev.rec", [record(0, 3)])
    dataset = get(tmp_path, "grey", "dev")
    assert (dataset.num_classes, dataset.num_channels) == (4, 1)
    assert dataset.class_counts == (0, 0, 0, 1)
    with pytest.raises(UserError, match="'grey' is already registered"):
        dataset_factory.register_dataset("grey", DatasetSpec("%s", (), 1))


def test_wrong_names_are_explained(dataset_dir):
    with pytest.raises(UserError, match=r"no split 'tran' \(did you mean train\?\)"):
        get(dataset_dir, split="tran")
    with pytest.raises(
        UserError, match="no files of a data set 'letters': expected data"
    ):
        get(dataset_dir, name="letters")
    with pytest.raises(UserError, match=r"expected flowers_<split>_\*"):
        get(dataset_dir, name="flowers")


def test_wrong_directories_are_explained(tmp_path):
    with pytest.raises(UserError, match="no --dataset_dir"):
        get("")
    with pytest.raises(UserError, match="absent is not a folder"):
        get(tmp_path / "absent")
    with pytest.raises(UserError, match="found an empty folder"):
        get(tmp_path)


def test_another_name_than_dataset_json_gives(described_dir):
    with pytest.raises(
        UserError, match=r"holds the data set 'numbers': use --dataset_n"
    ):
        get(described_dir, name="letters")
    with pytest.raises(UserError, match=r"no split 'test'.*its splits are train"):
        get(described_dir, split="test")


def test_no_class_names(dataset_dir):
    (dataset_dir / "labels.txt").unlink()
    with pytest.raises(UserError, match=r"neither dataset\.json nor labels\.txt"):
        get(dataset_dir)


def test_a_missing_shard_is_named(dataset_dir):
    (dataset_dir / "numbers_train_00001-of-00003.tfrecord").unlink()
    with pytest.raises(UserError, match=r"train_00001-of-00003\.tfrecord is missing"):
        get(dataset_dir)


def test_two_sets_of_shards_are_refused(dataset_dir, write_records, record):
    write_records(dataset_dir / "numbers_train_00000-of-00001.tfrecord", [record(0, 0)])
    with pytest.raises(UserError, match="both -of-00001 and -of-00003"):
        get(dataset_dir)


@pytest.mark.parametrize("change", ["missing", "cut", "longer"])
def test_files_that_differ_from_dataset_json_are_named(described_dir, change):
    path = described_dir / "numbers_train_00001-of-00003.tfrecord"
    data = path.read_bytes()
    if change == "missing":
        path.unlink()
        message = r"00001-of-00003\.tfrecord is missing"
    elif change == "cut":
        path.write_bytes(data[:-20])
        message = r"00001.* bytes where .*, record 2 .*the file ends within it"
    else:
        path.write_bytes(data + b"x")
        message = r"00001.* bytes where .*, record 3 .*the file ends within it"
    with pytest.raises(UserError, match=message):
        get(described_dir)


def test_a_label_out_of_range_is_named(dataset_dir, write_records, record):
    path = dataset_dir / "numbers_train_00001-of-00003.tfrecord"
    write_records(path, [record(2, 2), record(3, 0), record(4, 3)])
    message = rf"{path}, record 2 .*its label 3 is out of range, there are 3 classes"
    for _ in range(2):  # counted, then remembered
        with pytest.raises(UserError, match=message):
            get(dataset_dir)


def test_damaged_records_are_named(dataset_dir):
    path = dataset_dir / "numbers_train_00002-of-00003.tfrecord"
    data = bytearray(path.read_bytes())
    data[30] ^= 1
    path.write_bytes(data)
    with pytest.raises(
        UserError, match=r"00002-of-00003\.tfrecord, record 0 .*checksum"
    ):
        get(dataset_dir)


def test_empty_files_are_explained(tmp_path, write_records):
    write_records(tmp_path / "d_train.tfrecord", [])
    (tmp_path / "labels.txt").write_text("0:a\n")
    with pytest.raises(UserError, match=r"split 'train' .* holds no usable record"):
        get(tmp_path, "d")


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (
            "0:one\n1:zero\n2:two\n",
            "has class 0 'one' instead of 'zero' as in dataset.json",
        ),
        (
            "0:zero\n1:one\n2:deux\n",
            "has class 2 'deux' instead of 'two' as in dataset.json",
        ),
        ("0:zero\n1:one\n", "has 2 classes instead of 3 as in dataset.json"),
    ],
)
def test_labels_that_were_changed_after_the_conversion(described_dir, lines, says):
    (described_dir / "labels.txt").write_text(lines)
    with pytest.raises(UserError, match=says) as raised:
        get(described_dir)
    assert "\n" not in str(raised.value)
    (described_dir / "labels.txt").write_text("0:zero\n1:one\n2:two\n")
    assert get(described_dir).class_names == ("zero", "one", "two")


def test_a_wrong_dataset_json_is_explained(described_dir):
    path = described_dir / "dataset.json"
    content = json.loads(path.read_text())
    del content["classes"]
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"dataset\.json: field 'classes' is absent"):
        get(described_dir)


def test_a_relabelled_record_is_counted_and_said(
    described_dir, write_records, record, caplog
):
    before = get(described_dir)
    path = described_dir / "numbers_train_00001-of-00003.tfrecord"
    size = path.stat().st_size
    write_records(path, [record(2, 0), record(3, 0), record(4, 1)])
    assert path.stat().st_size == size
    after = get(described_dir)
    assert f"{path} changed since dataset.json was written" in caplog.text
    assert (before.class_counts, after.class_counts) == ((3, 3, 3), (4, 3, 2))
    assert after.num_examples == 9
    assert after.fingerprint != before.fingerprint


@pytest.mark.parametrize("length", [1 << 40, 1 << 63])
@pytest.mark.parametrize("described", [False, True])
def test_a_length_beyond_all_memory_is_named(
    dataset_dir, request, caplog, length, described
):
    """TensorFlow's reader would take so much memory first, and end the process."""
    if described:
        request.getfixturevalue("described_dir")
    path = dataset_dir / "numbers_train_00001-of-00003.tfrecord"
    data = path.read_bytes()
    head = struct.pack("<Q", length)
    crc = struct.pack("<I", record_frames._masked_crc(head))
    last = len(data) // 3 * 2
    path.write_bytes(data[:last] + head + crc + data[last + 12 :])
    message = rf"00001.*record 2 .*ends within .*{length:,} bytes"
    with pytest.raises(UserError, match=message):
        get(dataset_dir)
    dataset = dataset_factory.get_dataset(
        "numbers", "train", str(dataset_dir), max_bad_records=1
    )
    assert dataset.shards[1].bad_records == (2,)
    assert "00001-of-00003.tfrecord, record 2 (counted from 0): the file ends" in (
        caplog.text
    )
