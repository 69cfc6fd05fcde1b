import hashlib
import os

import pytest

from common import atomic_files
from errors import UserError


def test_the_systems_refusals_are_for_the_user(tmp_path):
    def read():
        with atomic_files.explained_errors():
            (tmp_path / "absent").read_bytes()

    with pytest.raises(UserError, match=r"absent: No such file or directory"):
        read()


def test_atomic_write_replaces_the_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic_files.atomic_write(str(path), "w") as file:
        file.write("new\n")
        assert path.read_text() == "old"
    assert path.read_text() == "new\n"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_atomic_write_that_fails_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fail():
        with atomic_files.atomic_write(str(path)) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_atomic_write_works_in_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with atomic_files.atomic_write("here.txt", "w") as file:
        file.write("é")
    assert (tmp_path / "here.txt").read_bytes() == "é".encode()


def test_publish_moves_the_named_file_last(tmp_path, monkeypatch):
    staging, target = tmp_path / "staging", tmp_path / "target"
    staging.mkdir()
    target.mkdir()
    for name in ("a", "dataset.json", "z"):
        (staging / name).write_text(name)
    moved = []
    replace = os.replace

    def spy(source, destination):
        moved.append(os.path.basename(source))
        replace(source, destination)

    monkeypatch.setattr(os, "replace", spy)
    atomic_files.publish(str(staging), str(target), last=["dataset.json"])
    assert moved == ["a", "z", "dataset.json"]
    assert sorted(os.listdir(target)) == ["a", "dataset.json", "z"]
    assert not staging.exists()


def test_sha256_is_the_files_own(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x" * (3 << 20))
    assert (
        atomic_files.sha256(str(path)) == hashlib.sha256(path.read_bytes()).hexdigest()
    )


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_atomic_write_follows_no_link_that_another_put_in_its_way(tmp_path, link):
    precious = tmp_path / "precious"
    precious.write_text("years of work")
    link(precious, tmp_path / f".new.txt.tmp-{os.getpid()}")
    with atomic_files.atomic_write(str(tmp_path / "new.txt"), "w") as file:
        file.write("new")
    assert precious.read_text() == "years of work"
    assert (tmp_path / "new.txt").read_text() == "new"
    assert not (tmp_path / "new.txt").is_symlink()


def test_what_killed_runs_left_goes_and_what_others_write_stays(tmp_path):
    (tmp_path / ".a.txt.tmp-1").write_text("left")
    (tmp_path / ".b.txt.tmp-1").write_text("another file's")
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (tmp_path / ".a.txt.tmp-link").symlink_to(mine)
    (tmp_path / ".a.txt.tmp-folder").mkdir()
    with atomic_files.atomic_write(str(tmp_path / "a.txt"), "w") as outer:
        outer.write("outer")
        # Of a run that lives, as a lock on it shows.
        atomic_files.remove_leftovers(str(tmp_path), "a.txt")
        assert (tmp_path / f".a.txt.tmp-{os.getpid()}").exists()
    assert sorted(os.listdir(tmp_path)) == [
        *(".a.txt.tmp-link", ".b.txt.tmp-1", "a.txt", "mine")
    ]
    assert mine.read_text() == "mine"


def test_a_scratch_directory_goes_and_takes_those_of_killed_runs_along(tmp_path):
    left = tmp_path / ".export.tmp-1" / "inside"
    left.mkdir(parents=True)
    with atomic_files.scratch_directory(str(tmp_path), "export") as mine:
        assert os.listdir(tmp_path) == [os.path.basename(mine)]
        with atomic_files.scratch_directory(str(tmp_path), "export") as other:
            assert os.path.isdir(mine)
            assert other != mine
        assert os.path.isdir(mine)
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_told_with_the_file(tmp_path):
    def write():
        with (
            atomic_files.explained_errors(),
            atomic_files.atomic_write(str(tmp_path / "a.txt")),
        ):
            raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match=r"a\.txt: No space left"):
        write()
    assert not os.listdir(tmp_path)
