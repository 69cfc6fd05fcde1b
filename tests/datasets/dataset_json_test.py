import json

import pytest

from datasets import dataset_json
from datasets.dataset_json import DatasetInfo, ShardInfo, SplitInfo
from errors import UserError

INFO = DatasetInfo(
    name="stamps",
    classes=("two\nlines", "ä", "\udcff"),
    splits={
        "train": SplitInfo(
            5, (2, 3, 0), (ShardInfo("a", 3, 10, "x"), ShardInfo("b", 2, 7, "y"))
        ),
        "test": SplitInfo(1, (0, 0, 1), (ShardInfo("c", 1, 4, "z"),)),
    },
    num_channels=1,
    made={"settings": {"seed": 3}},
)


def test_what_is_written_is_read(tmp_path):
    dataset_json.write(str(tmp_path), INFO)
    assert dataset_json.read(str(tmp_path)) == INFO


def test_no_file_is_no_dataset(tmp_path):
    assert dataset_json.read(str(tmp_path)) is None


def drop(path):
    def change(content):
        *parents, last = path
        for key in parents:
            content = content[key]
        del content[last]

    return change


def put(path, value):
    def change(content):
        *parents, last = path
        for key in parents:
            content = content[key]
        content[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop(["name"]), "field 'name'"),
        (put(["format_version"], 2), "format_version 2, this program reads 1"),
        (put(["classes"], []), "field 'classes'"),
        (put(["classes"], [1, 2, 3]), "field 'classes'"),
        (put(["num_channels"], 4), "field 'num_channels'"),
        (put(["splits"], []), "field 'splits'"),
        (drop(["splits", "test", "shards"]), "field 'splits.test.shards'"),
        (put(["splits", "train", "num_examples"], 6), "adding up"),
        (put(["splits", "train", "class_counts"], [5]), "3 numbers"),
        (
            put(["splits", "train", "shards", 1, "records"], 9),
            "splits.train.shards.*adding up",
        ),
        (
            put(["splits", "train", "shards", 1, "file"], "../b"),
            r"splits.train.shards\[1\].file.*without a directory",
        ),
        (put(["splits", "train"], None), "splits.train.shards"),
    ],
)
def test_a_wrong_field_is_named(tmp_path, change, message):
    dataset_json.write(str(tmp_path), INFO)
    path = tmp_path / "dataset.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=message):
        dataset_json.read(str(tmp_path))


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[]"])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "dataset.json").write_bytes(content)
    with pytest.raises(UserError, match=r"dataset\.json"):
        dataset_json.read(str(tmp_path))


def test_absent_and_changed_files_are_found(tmp_path):
    def fault():
        return dataset_json.find_file_fault(str(tmp_path), INFO.splits["train"])

    (tmp_path / "a").write_bytes(b"x" * 10)
    path, reason = fault()
    assert path == str(tmp_path / "b")
    assert "missing" in reason
    (tmp_path / "b").write_bytes(b"x")
    _, reason = fault()
    assert "has 1 bytes where dataset.json says 7" in reason
    (tmp_path / "b").write_bytes(b"x" * 7)
    assert fault() is None
