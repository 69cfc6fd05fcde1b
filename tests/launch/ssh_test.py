"""launch/ssh.sh, with a stand-in for ssh that runs the command here."""

import os
import pathlib
import subprocess

import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "launch" / "ssh.sh"
# Runs its last argument, the command; notes the host.
SSH = """#!/bin/bash
while [[ $1 == -* ]]; do [[ $1 == -o ]] && shift; shift; done
echo "$1" >>"$HOSTS"; exec bash -c "$2"
"""


@pytest.fixture
def launch(tmp_path):
    """Runs a shell script on two hosts; its result."""
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(SSH)
    ssh.chmod(0o755)

    def launch(task: str, **environment: str) -> subprocess.CompletedProcess:
        (tmp_path / "task.sh").write_text(task)
        return subprocess.run(
            [SCRIPT, "a b", tmp_path, "bash", "task.sh", "--flag=with space 'quoted'"],
            env={
                **os.environ,
                "PATH": f"{ssh.parent}:{os.environ['PATH']}",
                "HOSTS": str(tmp_path / "hosts"),
                "RESTART_SECS": "0",
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return launch


def test_every_host_gets_the_command_and_its_rank(launch, tmp_path):
    done = launch('echo "$RANK/$WORLD_SIZE $MASTER_ADDR:$MASTER_PORT $1"')
    assert done.returncode == 0
    flag = "--flag=with space 'quoted'"
    assert sorted(done.stdout.splitlines()) == [
        f"0: 0/2 a:29400 {flag}",
        f"1: 1/2 a:29400 {flag}",
    ]
    assert sorted((tmp_path / "hosts").read_text().split()) == ["a", "b"]


def test_a_lost_machine_starts_all_again(launch):
    done = launch('echo try; [[ -e $RANK ]] && exit 0; touch "$RANK"; exit 138')
    assert done.returncode == 0
    assert done.stdout.count("try") == 4


@pytest.mark.parametrize("status", [2, 3, 75, 143])
def test_what_would_fail_again_ends_it(launch, status):
    done = launch(f"echo try; exit $((RANK * {status}))")
    assert (done.returncode, done.stdout.count("try")) == (status, 2)


def test_it_does_not_try_for_ever(launch):
    done = launch("echo try; exit 138", MAX_RESTARTS="2")
    assert (done.returncode, done.stdout.count("try")) == (138, 6)
