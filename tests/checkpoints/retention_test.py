"""Which checkpoints a folder keeps."""

import os

import numpy as np
import pytest
import tensorflow as tf

from checkpoints import retention, slim_format
from checkpoints.retention import CheckpointFolder
from errors import UserError

SUFFIXES = {".index", ".data-00000-of-00001"}


def tensors(step):
    return {"net/w": np.full(3, step, np.float32), "global_step": np.array(step)}


def steps_in(path):
    """Steps of the checkpoints in a folder; each must have its two files."""
    files: dict[str, set[str]] = {}
    for file in path.glob("model.ckpt-*"):
        files.setdefault(file.stem, set()).add(file.suffix)
    assert all(suffixes == SUFFIXES for suffixes in files.values()), files
    return sorted(int(stem.rpartition("-")[2]) for stem in files)


def test_an_empty_or_missing_folder_has_no_latest(tmp_path):
    assert CheckpointFolder(str(tmp_path), keep=5).latest() is None
    assert CheckpointFolder(str(tmp_path / "missing"), keep=5).latest() is None


def test_saving_names_the_checkpoint_by_its_step(tmp_path):
    folder = CheckpointFolder(str(tmp_path / "run"), keep=5)
    prefix = folder.save(12, tensors(12))
    assert prefix == str(tmp_path / "run" / "model.ckpt-12")
    assert folder.latest() == prefix
    assert slim_format.Checkpoint(prefix).global_step == 12


def test_five_are_kept_the_newest(tmp_path):
    folder = CheckpointFolder(str(tmp_path), keep=5)
    for step in (0, 8, 9, 10, 11, 99, 100):
        folder.save(step, tensors(step))
    assert steps_in(tmp_path) == [9, 10, 11, 99, 100]
    assert tf.train.latest_checkpoint(str(tmp_path)).endswith("model.ckpt-100")
    state = tf.train.get_checkpoint_state(str(tmp_path))
    names = [path.rpartition("-")[2] for path in state.all_model_checkpoint_paths]
    assert names == ["9", "10", "11", "99", "100"]


def test_a_later_run_counts_the_earlier_runs_checkpoints(tmp_path):
    for step in (1, 2, 3):
        CheckpointFolder(str(tmp_path), keep=2).save(step, tensors(step))
    assert steps_in(tmp_path) == [2, 3]


def test_saving_a_step_again_keeps_the_newer_values(tmp_path):
    folder = CheckpointFolder(str(tmp_path), keep=2)
    folder.save(5, tensors(1))
    prefix = folder.save(5, tensors(2))
    assert steps_in(tmp_path) == [5]
    read = slim_format.Checkpoint(prefix).read("net/w")
    np.testing.assert_array_equal(read, [2, 2, 2])


def test_other_files_stay(tmp_path):
    """A published checkpoint that the user put there, and the events beside it."""
    slim_format.write_checkpoint(str(tmp_path / "inception_v3.ckpt"), tensors(0))
    (tmp_path / "events.out.tfevents.1").touch()
    folder = CheckpointFolder(str(tmp_path), keep=1)
    for step in (1, 2):
        folder.save(step, tensors(step))
    assert steps_in(tmp_path) == [2]
    assert (tmp_path / "inception_v3.ckpt.index").exists()
    assert (tmp_path / "events.out.tfevents.1").exists()


@pytest.mark.parametrize("name", ["run", "run [seed 1] *"])
def test_what_a_killed_run_left_is_removed(tmp_path, name):
    leftover = tmp_path / name / ".model.ckpt-3.tmp-x1y2"
    leftover.mkdir(parents=True)
    (leftover / "model.ckpt-3.data-00000-of-00001").touch()
    CheckpointFolder(str(tmp_path / name), keep=5).save(4, tensors(4))
    assert not leftover.exists()
    assert {p.name for p in (tmp_path / name).iterdir()} == {
        "checkpoint",
        "model.ckpt-4.index",
        "model.ckpt-4.data-00000-of-00001",
    }


def test_a_failed_save_keeps_the_older_ones_and_their_list(tmp_path, monkeypatch):
    folder = CheckpointFolder(str(tmp_path), keep=1)
    good = folder.save(1, tensors(1))

    def full_disk(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(slim_format, "_sync", full_disk)
    with pytest.raises(UserError, match="No space left"):
        folder.save(2, tensors(2))
    assert folder.latest() == good
    assert steps_in(tmp_path) == [1]


def test_times_of_files_do_not_matter(tmp_path):
    folder = CheckpointFolder(str(tmp_path), keep=5)
    for step in (1, 2):
        folder.save(step, tensors(step))
    for path in tmp_path.iterdir():  # a clock that was wrong
        later = 2**31 if "-1." in path.name else 0
        os.utime(path, (later, later))
    assert folder.latest() == str(tmp_path / "model.ckpt-2")
    folder.save(3, tensors(3))
    assert steps_in(tmp_path) == [1, 2, 3]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"model: {", b"\0" * 50])
def test_a_damaged_list_gives_way_to_the_steps(tmp_path, caplog, content):
    folder = CheckpointFolder(str(tmp_path), keep=5)
    for step in (2, 10):
        folder.save(step, tensors(step))
    (tmp_path / slim_format.STATE_FILE).write_bytes(content)
    assert folder.latest() == str(tmp_path / "model.ckpt-10")
    assert f"{tmp_path}/checkpoint is damaged" in caplog.text
    folder.save(11, tensors(11))
    assert folder.latest() == str(tmp_path / "model.ckpt-11")
    assert steps_in(tmp_path) == [2, 10, 11]


def test_the_prefix_is_slims():
    assert retention.PREFIX == "model.ckpt"
