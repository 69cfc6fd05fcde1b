import errno
import fcntl
import os
import subprocess
import sys

import pytest

from checkpoints.folder_lock import locked
from errors import UserError

HOLD = """
import sys
from checkpoints.folder_lock import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_second_is_refused_and_told_of_the_first_until_that_is_killed(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        with (
            pytest.raises(UserError, match=f"trained by process {holder.pid} on "),
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
