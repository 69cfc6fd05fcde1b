"""Folders in a place like /tmp: one's own, or refused."""

import os

import pytest

from checkpoints import shared_folder
from checkpoints.shared_folder import require_own
from errors import UserError


@pytest.fixture
def shared(tmp_path):
    """A folder in which everybody may make files."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


def test_what_is_ones_own_or_not_there_yet_is_fine(shared, caplog):
    own = shared / "run"
    require_own(str(own), flag="train_dir")
    own.mkdir(mode=0o755)
    require_own(str(own), flag="train_dir")
    require_own(f"{own}/deep/er", flag="train_dir")
    assert not caplog.messages
    assert not (own / "deep").exists()


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777])
def test_what_others_can_write_to_is_refused(shared, mode):
    (shared / "run").mkdir()
    (shared / "run").chmod(mode)
    for path in (f"{shared}/run/", f"{shared}/run/eval"):
        with pytest.raises(UserError, match=r"--eval_dir=.*written to by others") as e:
            require_own(path, flag="eval_dir")
        assert "\n" not in str(e.value)


def test_a_link_is_refused(shared, tmp_path):
    (tmp_path / "mine").mkdir()
    (shared / "run").symlink_to(tmp_path / "mine")
    with pytest.raises(UserError, match=r"run is a link, in .*tmp, where every user"):
        require_own(f"{shared}/run/deep", flag="train_dir")


def test_anothers_is_refused(shared, monkeypatch):
    (shared / "run").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(UserError, match="belongs to another user"):
        require_own(str(shared / "run"), flag="train_dir")


def test_folders_elsewhere_are_their_owners_affair(tmp_path, caplog):
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "run")
    require_own(str(tmp_path / "run"), flag="train_dir")
    require_own(str(tmp_path / "link"), flag="train_dir")
    assert not caplog.messages


def test_slims_default_is_warned_of(caplog, monkeypatch, shared):
    monkeypatch.setattr(shared_folder, "DEFAULT", f"{shared}/tfmodel/")
    require_own(f"{shared}/tfmodel/", flag="train_dir")
    (said,) = caplog.messages
    assert "slim's default" in said
    assert "use a folder of your own" in said


def test_what_is_made_there_is_private_and_taken_again(shared, tmp_path):
    umask = os.umask(0)
    try:
        shared_folder.make(f"{shared}/run/deep/er/")
        shared_folder.make(f"{shared}/run")
        shared_folder.make(f"{tmp_path}/elsewhere")
    finally:
        os.umask(umask)
    assert (shared / "run").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "elsewhere").stat().st_mode & 0o777 == 0o777
    require_own(f"{shared}/run/deep/er", flag="train_dir")
    (shared / "file").touch()
    with pytest.raises(NotADirectoryError):
        shared_folder.make(f"{shared}/file")
    with pytest.raises(NotADirectoryError):
        shared_folder.make(f"{shared}/file/below")
