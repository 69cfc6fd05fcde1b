import errno
import fcntl
import os
import subprocess
import sys

import pytest

from checkpoints.folder_lock import locked, require_held
from errors import UserError

HOLD = """
import sys
from checkpoints.folder_lock import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_run_is_refused_until_the_first_is_killed(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        with (
            pytest.raises(UserError, match=f"in use by process {holder.pid} on "),
            locked(str(tmp_path)),
        ):
            pass
        holder.kill()
        holder.wait()
    with locked(str(tmp_path)):
        assert f"process {os.getpid()} on" in (tmp_path / ".lock").read_text()


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOTSUP])
def test_where_there_are_no_locks_a_warning_says_so(
    tmp_path, monkeypatch, caplog, code
):
    def flock(*args):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    with locked(str(tmp_path)):
        pass
    assert f"{tmp_path} cannot be locked ({os.strerror(code)})" in caplog.text


def test_where_locks_do_not_hold_the_earlier_run_finds_the_later_ones_note(tmp_path):
    require_held(str(tmp_path))  # not locked at all
    note = tmp_path / ".lock"
    with locked(str(tmp_path)):
        require_held(str(tmp_path))
        note.write_text("process 12 on n2")
        with pytest.raises(UserError, match=r"taken over by process 12 on n2, which"):
            require_held(str(tmp_path))
        note.write_text("no note of ours")
        require_held(str(tmp_path))


@pytest.mark.parametrize("content", ["years of work", ""])
def test_a_link_is_not_followed(tmp_path, content):
    target = tmp_path / "precious"
    target.write_text(content)
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".lock").symlink_to(target)
    refused = pytest.raises(UserError, match=r"\.lock .* a link stands there")
    with refused, locked(str(folder)):
        pass
    assert target.read_text() == content


def test_what_is_not_ours_is_not_written_over(tmp_path):
    """As where another user made the lock a second name of one's own file."""
    target = tmp_path / "precious"
    target.write_text("years of work")
    os.link(target, tmp_path / ".lock")
    refused = pytest.raises(UserError, match="is in use")
    with locked(str(tmp_path)), refused, locked(str(tmp_path)):
        pass
    assert target.read_text() == "years of work"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_lock_that_is_no_file_is_one_line_and_does_not_hang(tmp_path, make):
    make(tmp_path / ".lock")
    refused = pytest.raises(
        UserError, match=r"\.lock (is not a regular|cannot be opened)"
    )
    with refused, locked(str(tmp_path)):
        pass


def test_a_new_lock_is_its_owners_alone_and_an_old_note_gives_way(tmp_path):
    with locked(str(tmp_path)):
        assert (tmp_path / ".lock").stat().st_mode & 0o777 == 0o600
    (tmp_path / ".lock").write_text("process 12345678 on a.host.with.a.long.name")
    with locked(str(tmp_path)):
        said = (tmp_path / ".lock").read_text()
    assert said.startswith(f"process {os.getpid()} on ")
    assert "long.name" not in said
