import errno
import fcntl
import os

import pytest

from convert.tfrecords import rejections, staging
from datasets import dataset_json, labels
from datasets.dataset_json import DatasetInfo, ShardInfo, SplitInfo
from errors import UserError

SHARD = "d_train_00000-of-00001.tfrecord"
FILES = [SHARD, dataset_json.FILENAME, labels.FILENAME, rejections.FILENAME]


def fill(directory):
    """Puts a whole dataset into the staging directory."""
    publish_dir = os.path.join(directory, staging.PUBLISH)
    with open(os.path.join(publish_dir, SHARD), "wb") as file:
        file.write(b"x")
    labels.write(publish_dir, ["a"])
    rejections.write_csv(publish_dir, [])
    split = SplitInfo(1, (1,), (ShardInfo(SHARD, 1, 1, ""),))
    dataset_json.write(publish_dir, DatasetInfo("d", ("a",), {"train": split}))


def test_a_dataset_moves_out_whole(tmp_path):
    target = tmp_path / "deep" / "data"
    with staging.staging(str(target), "d") as directory:
        fill(directory)
        assert os.listdir(target) == [os.path.basename(directory)]
        staging.publish_dataset(directory, str(target))
    assert sorted(os.listdir(target)) == sorted(FILES)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, OSError])
def test_a_failure_leaves_no_trace(tmp_path, error):
    def fail():
        with staging.staging(str(tmp_path / "data"), "d") as directory:
            fill(directory)
            raise error

    with pytest.raises(error):
        fail()
    assert os.listdir(tmp_path) == []


def test_files_that_were_there_stay(tmp_path):
    (tmp_path / "notes").write_text("mine")
    with staging.staging(str(tmp_path), "d"):
        pass
    assert os.listdir(tmp_path) == ["notes"]


@pytest.fixture
def stop_after(monkeypatch):
    """A function that lets a number of files move before Ctrl-C."""
    replace = os.replace

    def arrange(number):
        moved: list[str] = []

        def counted(source, target):
            if len(moved) == number:
                raise KeyboardInterrupt
            moved.append(source)
            replace(source, target)

        monkeypatch.setattr(os, "replace", counted)

    return arrange


@pytest.mark.parametrize("number", range(5))
def test_an_interrupted_move_is_undone(tmp_path, stop_after, number):
    def convert():
        with staging.staging(str(tmp_path / "data"), "d") as directory:
            fill(directory)
            stop_after(number)
            staging.publish_dataset(directory, str(tmp_path / "data"))

    if number < len(FILES):
        with pytest.raises(KeyboardInterrupt):
            convert()
        assert os.listdir(tmp_path) == []
    else:
        convert()
        assert sorted(os.listdir(tmp_path / "data")) == sorted(FILES)


@pytest.mark.parametrize("number", range(4))
def test_what_a_killed_run_moved_is_undone_later(tmp_path, number):
    data = tmp_path / "data"
    directory = data / ".d.tmp-1"
    (directory / staging.PUBLISH).mkdir(parents=True)
    (directory / staging.SPILL).mkdir()
    fill(directory)
    for name in sorted(set(FILES) - {dataset_json.FILENAME})[:number]:
        os.replace(directory / staging.PUBLISH / name, data / name)
    (data / "notes").write_text("mine")
    (data / ".rejected.csv.tmp-123").write_text("half")
    staging.remove_leftovers(str(data))
    assert os.listdir(data) == ["notes"]


def test_leftovers_without_a_plan_are_removed(tmp_path):
    publish_dir = tmp_path / ".d.tmp-1" / staging.PUBLISH
    publish_dir.mkdir(parents=True)
    (publish_dir / SHARD).write_bytes(b"half")
    (tmp_path / SHARD).write_bytes(b"another run's")
    staging.remove_leftovers(str(tmp_path))
    assert os.listdir(tmp_path) == [SHARD]


@pytest.mark.parametrize("made", [(), (staging.PUBLISH,), (staging.SPILL,)])
def test_what_a_run_killed_at_its_start_left_is_removed(tmp_path, made):
    directory = tmp_path / ".d.tmp-0a1b2c3d"
    directory.mkdir()
    for name in made:
        (directory / name).mkdir()
    staging.remove_leftovers(str(tmp_path))
    assert os.listdir(tmp_path) == []


def test_what_is_not_ours_stays(tmp_path):
    (tmp_path / ".d.tmp-mine").mkdir()
    (tmp_path / ".tmp-1").mkdir()
    (tmp_path / ".d.tmp-1").mkdir()
    (tmp_path / ".d.tmp-1" / "notes").write_text("mine")
    (tmp_path / ".d.tmp-2").write_text("a file")
    (tmp_path / ".d.tmp-3").symlink_to(".tmp-1")
    before = sorted(os.listdir(tmp_path))
    staging.remove_leftovers(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == before
    assert (tmp_path / ".d.tmp-1" / "notes").exists()


def test_a_full_disk_is_told_in_numbers(tmp_path):
    full = OSError(errno.ENOSPC, "No space left on device")

    def convert():
        with staging.staging(str(tmp_path / "data"), "d", 12_300_000):
            raise full

    with pytest.raises(OSError, match="No space") as raised:
        convert()
    assert raised.value.filename == str(tmp_path / "data")
    assert raised.value.errno == errno.ENOSPC
    assert "MB are free without the data set, it needs about 12.3 MB; free" in str(
        raised.value
    )
    assert os.listdir(tmp_path) == []


def test_two_runs_do_not_meet(tmp_path):
    with (
        staging.staging(str(tmp_path), "d"),
        pytest.raises(UserError, match=f"another conversion is writing to {tmp_path}:"),
    ):
        staging.remove_leftovers(str(tmp_path))


def test_the_lock_ends_with_the_run(tmp_path):
    with staging.staging(str(tmp_path), "d") as directory:
        descriptor = os.open(directory, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)


def test_where_there_are_no_locks_a_warning_says_so(tmp_path, monkeypatch, caplog):
    def flock(*args):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with staging.staging(str(tmp_path / "data"), "pets"):
        pass
    assert "data cannot be locked (No locks available)" in caplog.text
