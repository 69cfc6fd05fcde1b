"""Which checkpoints a folder keeps."""

import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from checkpoints import checkpoint_folder, slim_format
from checkpoints.checkpoint_folder import CheckpointFolder
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
    """A published checkpoint that the user put there, with event files."""
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


def make(path, *steps):
    """A folder of a run that saved at these steps."""
    folder = CheckpointFolder(str(path), keep=2)
    for step in steps:
        folder.save(step, tensors(step))
    return folder


@pytest.mark.parametrize("name", ["model.ckpt-best", "model.ckpt-3-good", "model.ckpt"])
def test_what_a_user_keeps_under_another_name_stays(tmp_path, name):
    folder = make(tmp_path, 3)
    for suffix in SUFFIXES:
        shutil.copy(tmp_path / f"model.ckpt-3{suffix}", tmp_path / f"{name}{suffix}")
    for step in (4, 5, 6):
        folder.save(step, tensors(step))
    left = {path.name for path in tmp_path.glob("model.ckpt*.index")}
    assert left == {f"{name}.index", "model.ckpt-5.index", "model.ckpt-6.index"}
    assert name not in (tmp_path / "checkpoint").read_text().replace("ckpt-", "-")


def test_a_checkpoint_that_someone_put_there_stays(tmp_path):
    """One of an earlier step, which the file `checkpoint` does not name."""
    folder = make(tmp_path, 10)
    slim_format.write_checkpoint(str(tmp_path / "model.ckpt-7"), tensors(70))
    for step in (11, 12, 13):
        folder.save(step, tensors(step))
    assert steps_in(tmp_path) == [7, 12, 13]
    kept = slim_format.Checkpoint(str(tmp_path / "model.ckpt-7")).read("net/w")
    np.testing.assert_array_equal(kept, [70, 70, 70])


def test_a_lost_list_gives_way_to_the_newest_and_removes_nothing(tmp_path, caplog):
    folder = make(tmp_path, 9, 10)
    (tmp_path / slim_format.STATE_FILE).unlink()
    assert folder.latest() == str(tmp_path / "model.ckpt-10")
    assert "`checkpoint`" in caplog.text
    assert "is lost: using the newest checkpoint there" in caplog.text
    for step in (11, 12, 13):
        folder.save(step, tensors(step))
    assert steps_in(tmp_path) == [9, 10, 12, 13]
    assert folder.latest() == str(tmp_path / "model.ckpt-13")


def test_a_list_of_what_is_gone_gives_way_too(tmp_path, caplog):
    folder = make(tmp_path, 9, 10)
    slim_format.write_state(str(tmp_path), ["model.ckpt-11"])
    assert folder.latest() == str(tmp_path / "model.ckpt-10")
    assert "names none that exists: using the newest" in caplog.text


@pytest.mark.parametrize("lost", sorted(SUFFIXES))
def test_half_a_checkpoint_is_no_fresh_start(tmp_path, lost):
    folder = make(tmp_path, 10)
    (tmp_path / slim_format.STATE_FILE).unlink()
    (tmp_path / f"model.ckpt-10{lost}").unlink()
    with pytest.raises(
        UserError, match=r"complete and intact \(model\.ckpt-10\): restore"
    ):
        folder.latest()
    with_state = make(tmp_path / "other", 9, 10)
    (tmp_path / "other" / f"model.ckpt-10{lost}").unlink()
    assert with_state.latest() == str(tmp_path / "other" / "model.ckpt-9")


def test_a_newer_one_that_the_run_did_not_write_is_not_guessed_about(tmp_path):
    folder = make(tmp_path, 3, 4)
    newer = str(tmp_path / "model.ckpt-5000")
    slim_format.write_checkpoint(newer, tensors(5000))
    with pytest.raises(UserError, match=r"5000 is newer than model\.ckpt-4, the last"):
        folder.latest()
    (tmp_path / slim_format.STATE_FILE).unlink()
    assert folder.latest() == newer


def test_a_list_that_names_an_earlier_one_is_obeyed(tmp_path):
    """As slim's users go back, by hand."""
    folder = make(tmp_path, 3, 4)
    names = ["model.ckpt-3", "model.ckpt-4"]
    slim_format.write_state(str(tmp_path), names, newest="model.ckpt-3")
    assert folder.latest() == str(tmp_path / "model.ckpt-3")


def test_a_run_killed_before_it_names_its_newest_knows_it(tmp_path, monkeypatch):
    folder = make(tmp_path, 3, 4)
    write_state = slim_format.write_state

    def killed(directory, names, newest=None):
        if newest is None:
            raise KeyboardInterrupt
        write_state(directory, names, newest)

    with monkeypatch.context() as patch:
        patch.setattr(slim_format, "write_state", killed)
        with pytest.raises(KeyboardInterrupt):
            folder.save(5, tensors(5))
    assert folder.latest() == str(tmp_path / "model.ckpt-4")
    folder.save(5, tensors(50))
    assert steps_in(tmp_path) == [4, 5]


def test_another_folders_checkpoint_is_not_adopted(tmp_path):
    make(tmp_path / "a", 3)
    (tmp_path / "b").mkdir()
    state = f'model_checkpoint_path: "{tmp_path}/a/model.ckpt-3"\n'
    (tmp_path / "b" / slim_format.STATE_FILE).write_text(state)
    with pytest.raises(UserError, match=r"names .*/a/model\.ckpt-3, which is another"):
        CheckpointFolder(str(tmp_path / "b"), keep=5).latest()


def test_the_single_file_of_2016_counts(tmp_path):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.get_variable("w", [2])
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver(write_version=1)
        saver.save(session, str(tmp_path / "model.ckpt"), global_step=7)
    folder = CheckpointFolder(str(tmp_path), keep=1)
    assert folder.latest() == str(tmp_path / "model.ckpt-7")
    (tmp_path / slim_format.STATE_FILE).unlink()
    assert folder.latest() == str(tmp_path / "model.ckpt-7")
    folder.save(8, tensors(8))
    assert (tmp_path / "model.ckpt-7").exists()


def test_the_prefix_is_slims():
    assert checkpoint_folder.PREFIX == "model.ckpt"
