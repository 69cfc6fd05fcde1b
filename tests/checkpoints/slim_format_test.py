"""Checkpoints in both of slim's formats, against TensorFlow 1's own saver."""

import os
import pathlib
import shutil
import stat

import numpy as np
import pytest
import tensorflow as tf

from checkpoints import slim_format
from checkpoints.slim_format import Checkpoint, find_checkpoint
from errors import UserError

v1 = tf.compat.v1

ARRAYS: dict[str, np.ndarray] = {
    "net/conv/weights": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "net/conv/biases": np.array([-1.5, 0.0, 2.5], np.float32),
    "net/conv/weights/Momentum": np.ones([2, 3, 4], np.float32),
    "global_step": np.array(1000, np.int64),
}
DATA = ".data-00000-of-00001"


def save_with_slim(path, version, arrays=None):
    """Saves as slim's supervisor does: a graph, a session and a Saver."""
    with tf.Graph().as_default(), v1.Session() as session:
        for name, value in (arrays or ARRAYS).items():
            v1.get_variable(name, initializer=value)
        session.run(v1.global_variables_initializer())
        return v1.train.Saver(write_version=version).save(session, str(path))


def write(prefix, arrays=None):
    slim_format.write_checkpoint(str(prefix), arrays or ARRAYS)
    return str(prefix)


def assert_holds(checkpoint, arrays):
    assert checkpoint.shapes == {name: value.shape for name, value in arrays.items()}
    for name, value in arrays.items():
        read = checkpoint.read(name)
        assert read.dtype == value.dtype
        np.testing.assert_array_equal(read, value)


def one_line(error):
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("version", [v1.train.SaverDef.V1, v1.train.SaverDef.V2])
def test_reads_what_slim_wrote(tmp_path, version):
    path = save_with_slim(tmp_path / "inception_v3.ckpt", version)
    checkpoint = Checkpoint(find_checkpoint(path))
    assert_holds(checkpoint, ARRAYS)
    assert checkpoint.global_step == 1000


def test_version_1_is_one_file(tmp_path):
    """The format of the checkpoints published in 2016; TensorFlow still writes it."""
    save_with_slim(tmp_path / "model.ckpt", v1.train.SaverDef.V1)
    assert {p.name for p in tmp_path.iterdir()} == {
        "checkpoint",
        "model.ckpt",
        "model.ckpt.meta",
    }
    assert find_checkpoint(str(tmp_path)) == str(tmp_path / "model.ckpt")
    assert find_checkpoint(f"{tmp_path}/model.ckpt.meta") == f"{tmp_path}/model.ckpt"


def test_slim_reads_what_is_written_here(tmp_path):
    prefix = write(tmp_path / "model.ckpt-1000")
    with tf.Graph().as_default(), v1.Session() as session:
        variables = {
            name: v1.get_variable(name, value.shape, value.dtype)
            for name, value in ARRAYS.items()
        }
        v1.train.Saver().restore(session, prefix)
        for name, value in session.run(variables).items():
            np.testing.assert_array_equal(value, ARRAYS[name])


def test_a_checkpoint_of_weights_alone_has_no_step(tmp_path):
    prefix = write(tmp_path / "w", {"net/weights": np.zeros(2, np.float32)})
    assert Checkpoint(prefix).global_step is None


@pytest.mark.parametrize(
    "spelling",
    [
        "",
        "checkpoint",
        "model.ckpt-1000",
        "model.ckpt-1000.index",
        f"model.ckpt-1000{DATA}",
        "model.ckpt-1000.meta",
    ],
)
def test_every_way_to_name_a_checkpoint(tmp_path, spelling):
    prefix = save_with_slim(tmp_path / "model.ckpt-1000", v1.train.SaverDef.V2)
    assert find_checkpoint(os.path.join(tmp_path, spelling)) == prefix


def test_relative_and_home_paths(tmp_path, monkeypatch):
    prefix = write(tmp_path / "run" / "model.ckpt-5")
    slim_format.write_state(f"{tmp_path}/run", ["model.ckpt-5"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_checkpoint("~/run/model.ckpt-5") == prefix
    assert find_checkpoint("run") == "run/model.ckpt-5"
    monkeypatch.chdir(tmp_path / "run")
    assert os.path.samefile(find_checkpoint("checkpoint") + ".index", f"{prefix}.index")
    assert find_checkpoint("model.ckpt-5.index") == "model.ckpt-5"


def test_a_checkpoint_without_its_data_is_reported(tmp_path):
    prefix = write(tmp_path / "model.ckpt-5")
    os.remove(prefix + DATA)
    with pytest.raises(UserError, match=r"model\.ckpt-5 lacks a \.data file"):
        find_checkpoint(f"{prefix}.index")


def test_a_directory_means_its_newest_checkpoint(tmp_path):
    for step in (9, 10):
        write(tmp_path / f"model.ckpt-{step}")
    slim_format.write_state(str(tmp_path), ["model.ckpt-9", "model.ckpt-10"])
    assert find_checkpoint(str(tmp_path)) == str(tmp_path / "model.ckpt-10")


def test_slims_tools_find_the_newest_too(tmp_path, monkeypatch):
    """Also where --train_dir was relative, and after the directory was moved."""
    monkeypatch.chdir(tmp_path)
    write("run/model.ckpt-5")
    slim_format.write_state("run", ["model.ckpt-5"])
    assert tf.train.latest_checkpoint("run") == "run/model.ckpt-5"
    shutil.move("run", "moved")
    assert tf.train.latest_checkpoint("moved") == "moved/model.ckpt-5"


def test_an_unfinished_newest_gives_way_to_the_one_before(tmp_path):
    for step in (1, 2):
        write(tmp_path / f"model.ckpt-{step}")
    slim_format.write_state(str(tmp_path), ["model.ckpt-1", "model.ckpt-2"])
    os.remove(tmp_path / f"model.ckpt-2{DATA}")
    assert find_checkpoint(str(tmp_path)) == str(tmp_path / "model.ckpt-1")


def test_a_directory_that_slim_wrote_and_someone_moved(tmp_path):
    """Slim's `checkpoint` file holds absolute paths."""
    save_with_slim(tmp_path / "old" / "model.ckpt-7", v1.train.SaverDef.V2)
    assert str(tmp_path / "old") in (tmp_path / "old" / "checkpoint").read_text()
    shutil.move(tmp_path / "old", tmp_path / "new")
    assert find_checkpoint(f"{tmp_path}/new") == f"{tmp_path}/new/model.ckpt-7"


def test_a_copied_directory_means_the_copys_own_files(tmp_path):
    save_with_slim(tmp_path / "old" / "model.ckpt-7", v1.train.SaverDef.V2)
    shutil.copytree(tmp_path / "old", tmp_path / "copy")
    assert find_checkpoint(f"{tmp_path}/copy") == f"{tmp_path}/copy/model.ckpt-7"


def test_a_published_archive_has_no_state_file(tmp_path):
    write(tmp_path / "mobilenet_v1_1.0_224.ckpt")
    assert find_checkpoint(str(tmp_path)) == str(tmp_path / "mobilenet_v1_1.0_224.ckpt")
    write(tmp_path / "other.ckpt")
    with pytest.raises(UserError) as error:
        find_checkpoint(str(tmp_path))
    assert "name one of mobilenet_v1_1.0_224.ckpt, other.ckpt" in one_line(error)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("nowhere/model.ckpt", "there is no folder"),
        ("full/model.ckpt-2", "no such checkpoint (did you mean model.ckpt-1?)"),
        ("full/model.ckpt-2", "; the checkpoints in"),
        ("full/model.ckpt-2", "full: model.ckpt-1"),
        ("fulll", "no such checkpoint (did you mean full?); the checkpoints in"),
        ("empty/model.ckpt-2", "empty: none"),
        ("empty", "no checkpoint in this folder; it is empty"),
        ("photos", "no checkpoint in this folder; it holds cat.jpg"),
    ],
)
def test_what_is_not_there_says_what_is(tmp_path, path, says):
    write(tmp_path / "full" / "model.ckpt-1")
    (tmp_path / "empty").mkdir()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(UserError) as error:
        find_checkpoint(str(tmp_path / path), flag="checkpoint_path")
    assert one_line(error).startswith(f"--checkpoint_path={tmp_path / path}: ")
    assert says in one_line(error)


def test_a_file_that_is_no_checkpoint(tmp_path):
    (tmp_path / "cat.jpg").write_bytes(b"\xff\xd8\xff" * 100)
    with pytest.raises(UserError) as error:
        Checkpoint(find_checkpoint(str(tmp_path / "cat.jpg")))
    assert "cat.jpg cannot be read as a checkpoint: it is damaged" in one_line(error)
    assert "sstable" not in one_line(error)


def test_data_without_an_index(tmp_path):
    prefix = write(tmp_path / "model.ckpt-1")
    os.remove(f"{prefix}.index")
    with pytest.raises(UserError) as error:
        Checkpoint(find_checkpoint(prefix + DATA))
    assert one_line(error)


def spoil(path, keep):
    content = pathlib.Path(path).read_bytes()
    pathlib.Path(path).write_bytes(content[: int(len(content) * keep)])


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.95])
def test_a_cut_off_index(tmp_path, keep):
    prefix = write(tmp_path / "model.ckpt-1")
    spoil(f"{prefix}.index", keep)
    with pytest.raises(UserError) as error:
        Checkpoint(prefix)
    assert f"{prefix} cannot be read as a checkpoint" in one_line(error)


@pytest.mark.parametrize("keep", [0.0, 0.5])
def test_a_cut_off_version_1_file(tmp_path, keep):
    path = save_with_slim(tmp_path / "model.ckpt", v1.train.SaverDef.V1)
    spoil(path, keep)
    with pytest.raises(UserError) as error:
        Checkpoint(path)
    assert f"{path} cannot be read as a checkpoint" in one_line(error)


def test_cut_off_data(tmp_path):
    prefix = write(tmp_path / "model.ckpt-1")
    spoil(prefix + DATA, 0.5)
    with pytest.raises(UserError) as error:
        Checkpoint(prefix).read("net/conv/weights/Momentum")
    assert "the values of net/conv/weights/Momentum cannot be read" in one_line(error)
    assert one_line(error).endswith("the file is damaged: get or create it again")


def test_a_flipped_bit_in_the_data(tmp_path):
    prefix = write(tmp_path / "model.ckpt-1")
    data = bytearray(pathlib.Path(prefix + DATA).read_bytes())
    data[-5] ^= 1
    last = max(ARRAYS)  # arrays stand in the order of their names
    pathlib.Path(prefix + DATA).write_bytes(data)
    checkpoint = Checkpoint(prefix)
    with pytest.raises(UserError, match="cannot be read"):
        checkpoint.read(last)


def test_a_missing_data_file(tmp_path):
    prefix = write(tmp_path / "model.ckpt-1")
    os.remove(prefix + DATA)
    with pytest.raises(UserError) as error:
        Checkpoint(prefix).read("net/conv/biases")
    assert "net/conv/biases" in one_line(error)


def test_names_and_steps(tmp_path):
    for name in ("model.ckpt-10", "model.ckpt-9", "b"):
        write(tmp_path / name, {"x": np.zeros(1, np.float32)})
    (tmp_path / "vgg_16.ckpt").touch()
    assert slim_format.checkpoints_in(str(tmp_path)) == [
        "b",
        "vgg_16.ckpt",
        "model.ckpt-9",
        "model.ckpt-10",
    ]
    assert slim_format.step_of("/a/model.ckpt-123456") == 123456
    assert slim_format.step_of("inception_v3.ckpt") is None


def test_complete_means_every_shard(tmp_path):
    prefix = str(tmp_path / "model.ckpt-1")
    assert not slim_format.is_complete(prefix)
    pathlib.Path(f"{prefix}.index").touch()
    assert not slim_format.is_complete(prefix)
    pathlib.Path(f"{prefix}.data-00000-of-00002").touch()
    assert not slim_format.is_complete(prefix)
    pathlib.Path(f"{prefix}.data-00001-of-00002").touch()
    assert slim_format.is_complete(prefix)


def test_writing_leaves_two_files_and_makes_the_directory(tmp_path):
    write(tmp_path / "new" / "run" / "model.ckpt-1")
    assert {p.name for p in (tmp_path / "new" / "run").iterdir()} == {
        "model.ckpt-1.index",
        f"model.ckpt-1{DATA}",
    }


def test_a_failed_write_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    prefix = write(tmp_path / "model.ckpt-1")

    def full_disk(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(slim_format, "_sync", full_disk)
    with pytest.raises(UserError) as error:
        write(prefix, {"other": np.zeros(5, np.float32)})
    assert one_line(error).startswith(f"{prefix} cannot be written: ")
    assert "No space left" in one_line(error)
    assert_holds(Checkpoint(prefix), ARRAYS)
    assert len(list(tmp_path.iterdir())) == 2, "something was left behind"


def test_an_interrupted_write_shows_no_half_checkpoint(tmp_path, monkeypatch):
    """Ctrl-C between the two renames: the data is there, the index is not."""
    replace = os.replace

    def interrupted(source, target):
        if target.endswith(".index"):
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "model.ckpt-1")
    assert slim_format.checkpoints_in(str(tmp_path)) == []
    assert [p.name for p in tmp_path.iterdir()] == [f"model.ckpt-1{DATA}"]


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/model\.ckpt-1 cannot be written"):
        write(tmp_path / "file" / "model.ckpt-1")


def test_removing_a_checkpoint_leaves_its_neighbours(tmp_path):
    for step in (1, 10):
        save_with_slim(tmp_path / f"model.ckpt-{step}", v1.train.SaverDef.V2)
    slim_format.remove_checkpoint(str(tmp_path / "model.ckpt-1"))
    left = {p.name for p in tmp_path.iterdir()}
    assert left == {"checkpoint"} | {
        f"model.ckpt-10{suffix}" for suffix in (".index", DATA, ".meta")
    }


def test_files_can_be_read_by_others(tmp_path):
    prefix = write(tmp_path / "model.ckpt-1")
    (tmp_path / "plain").touch()
    mode = stat.S_IMODE((tmp_path / "plain").stat().st_mode)
    assert stat.S_IMODE(os.stat(f"{prefix}.index").st_mode) == mode
