"""launch/ssh.sh, with a stand-in for ssh that runs the command here."""

import os
import pathlib
import subprocess

import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "launch" / "ssh.sh"
# Runs its last argument, the command; notes its options and the host.
SSH = """#!/bin/bash
echo "$*" >>"$HOSTS.options"
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

    def launch(
        task: str, hosts: str = "a b", **environment: str
    ) -> subprocess.CompletedProcess:
        (tmp_path / "task.sh").write_text(task)
        return subprocess.run(
            [SCRIPT, hosts, tmp_path, "bash", "task.sh", "--flag=with space 'quoted'"],
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


def test_the_first_machine_is_met_by_its_name_without_the_user(launch, tmp_path):
    done = launch('echo "$MASTER_ADDR"', hosts="me@a you@b")
    assert sorted(done.stdout.splitlines()) == ["0: a", "1: a"]
    hosts = (tmp_path / "hosts").read_text().split()
    assert sorted(hosts) == ["me@a", "you@b"]


def test_ssh_itself_notices_a_machine_that_does_not_answer(launch, tmp_path):
    launch("true")
    for options in (tmp_path / "hosts.options").read_text().splitlines():
        for option in ("ConnectTimeout", "ServerAliveInterval", "ServerAliveCountMax"):
            assert f"-o {option}=" in options


def test_who_does_not_end_after_another_was_lost_is_not_waited_for(launch):
    task = "echo try; [[ $RANK == 0 ]] && exit 138; exec sleep 50"
    done = launch(task, MAX_RESTARTS="1", GRACE_SECS="1")
    assert (done.returncode, done.stdout.count("try")) == (138, 4)


def test_one_that_ended_well_is_no_reason_to_leave_the_others(launch):
    done = launch("((RANK)) && sleep 3; echo done", GRACE_SECS="1")
    assert (done.returncode, done.stdout.count("done")) == (0, 2)
