"""Tasks meet, in threads of one process; and learn who is gone."""

import contextlib
import socket
import subprocess
import sys
import threading
import time

import pytest

from cluster.cluster import Cluster
from cluster.lines import Lines
from cluster.meeting import meet
from cluster.watch import Watch
from errors import PeerError, UserError

FACTS = {"version": "1", "--batch_size": "8"}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def port():
    return free_port()


def tasks(size, port):
    return [
        Cluster(rank, size, f"127.0.0.1:{port}", source="x") for rank in range(size)
    ]


def all_meet(clusters, facts=(), wait_secs=5.0, remedies=None, faults=()):
    """What `meet` gives or raises in each task, with facts and faults by rank."""
    facts, faults = dict(facts), dict(faults)
    outcomes = {}

    def run(cluster):
        try:
            outcomes[cluster.rank] = meet(
                cluster,
                FACTS | facts.get(cluster.rank, {}),
                wait_secs=wait_secs,
                remedies=remedies,
                fault=faults.get(cluster.rank),
            )
        except UserError as error:
            outcomes[cluster.rank] = error

    threads = [threading.Thread(target=run, args=(c,)) for c in reversed(clusters)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [outcomes[cluster.rank] for cluster in clusters]


@contextlib.contextmanager
def watching(mets, heartbeat_secs=5.0):
    watches = [Watch(met, heartbeat_secs) for met in mets]
    try:
        yield watches
    finally:
        for watch in watches:
            watch.close()


def test_all_get_the_same_list_of_addresses(port):
    mets = all_meet(tasks(4, port))
    assert [met.rank for met in mets] == [0, 1, 2, 3]
    assert len({met.addresses for met in mets}) == 1
    assert len(set(mets[0].addresses)) == 4
    assert mets[3].names[1] == f"1 ({socket.gethostname()})"
    # The port is free for TensorFlow although the connections stay open.
    socket.create_server(("127.0.0.1", port)).close()
    for met in mets:
        for line in met.lines.values():
            line.close()


def test_addresses_that_the_environment_states_are_kept(port):
    stated = (f"127.0.0.1:{port}", f"127.0.0.1:{free_port()}")
    clusters = [Cluster(r, 2, stated[0], stated, stated) for r in range(2)]
    assert [met.addresses for met in all_meet(clusters)] == [stated, stated]


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="needs IPv6")
def test_tasks_meet_at_an_address_of_ipv6(port):
    mets = all_meet([Cluster(rank, 2, f"[::1]:{port}") for rank in range(2)])
    assert mets[0].addresses == mets[1].addresses
    assert all(address.startswith("[::1]:") for address in mets[0].addresses)


def test_who_is_missing_is_named_by_all(port):
    clusters = tasks(4, port)
    del clusters[2]
    for error in all_meet(clusters, wait_secs=0.3):
        assert isinstance(error, PeerError)
        assert error.exit_status == 138
        assert str(error).startswith("1 of 4 machines did not join within 0.3 s: 2;")


def test_a_missing_chief_is_named(port):
    (error,) = all_meet(tasks(2, port)[1:], wait_secs=0.3)
    assert isinstance(error, PeerError)
    assert f"the chief did not answer at 127.0.0.1:{port} within 0.3 s" in str(error)
    assert "refused" in str(error)


def test_what_differs_is_named_by_all(port):
    errors = all_meet(tasks(3, port), {2: {"--batch_size": "16"}})
    for error in errors:
        assert type(error) is UserError
        assert error.exit_status == 2
        host = socket.gethostname()
        assert str(error) == (
            f"--batch_size differs: 8 on 0 ({host}), 16 on 2 ({host}); start the same"
            " command on every machine"
        )


def test_a_difference_has_a_remedy_of_its_own_and_counts_before_who_is_missing(port):
    clusters = tasks(3, port)[:2]
    errors = all_meet(
        clusters, {1: {"version": "2"}}, 0.3, {"version": "install one version"}
    )
    assert all("install one version" in str(error) for error in errors)
    assert {error.exit_status for error in errors} == {2}


def test_another_number_of_machines_is_a_difference(port):
    errors = all_meet([*tasks(2, port)[:1], Cluster(1, 3, f"127.0.0.1:{port}")])
    assert all("number of machines differs: 2 on 0" in str(e) for e in errors)


def test_two_processes_of_one_rank_are_refused(port):
    clusters = tasks(3, port)
    outcomes = []

    def run(cluster):
        try:
            outcomes.append(meet(cluster, FACTS, wait_secs=2))
        except UserError as error:
            outcomes.append(error)

    threads = [
        threading.Thread(target=run, args=(clusters[rank],)) for rank in (0, 1, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all("two processes claim to be task 1" in str(e) for e in outcomes)


def test_a_taken_port_is_named(port):
    with socket.create_server(("", port)):
        (error,) = all_meet(tasks(2, port)[:1])
    assert error.exit_status == 2
    assert f"port {port} of {socket.gethostname()}" in str(error)
    assert "--cluster_port" in str(error)


def test_a_taken_port_of_another_task_is_named_by_all(port):
    with socket.create_server(("", 0)) as taken:
        theirs = taken.getsockname()[1]
        stated = [f"127.0.0.1:{p}" for p in (port, theirs, free_port())]
        errors = all_meet([Cluster(r, 3, stated[0], tuple(stated)) for r in range(3)])
    host = socket.gethostname()
    for error in errors:
        assert error.exit_status == 2
        assert str(error).startswith(f"machine 1 ({host}): port {theirs} of {host}")
        assert "Address already in use" in str(error)


def test_why_one_cannot_take_part_is_said_by_all_and_counts_before_differences(port):
    faults = {2: UserError("run.json is damaged")}
    errors = all_meet(tasks(3, port), {1: {"version": "2"}}, faults=faults)
    said = f"machine 2 ({socket.gethostname()}): run.json is damaged"
    assert [(type(e), str(e)) for e in errors] == [(UserError, said)] * 3


def test_strangers_and_those_who_came_and_went_do_not_count(port):
    def disturb():
        for text in (b"GET / HTTP/1.1\r\n\r\n", b"", b'["x"]\n', b"\xff\n"):
            with socket.create_connection(("127.0.0.1", port)) as stranger:
                stranger.sendall(text)

    thread = threading.Timer(0.1, disturb)
    thread.start()
    late = threading.Timer(
        0.2, lambda: late_outcome.extend(all_meet(tasks(2, port)[1:]))
    )
    late_outcome: list = []
    late.start()
    (met,) = all_meet(tasks(2, port)[:1])
    late.join()
    assert late_outcome[0].addresses == met.addresses
    thread.join()
    met.lines[1].close()


def test_all_learn_who_is_gone(port):
    mets = all_meet(tasks(3, port))
    with watching([mets[0], mets[1]]) as watches:
        mets[2].lines[0].socket.close()  # as the system does for a killed process
        for watch in watches:
            error = watch.news_within(2)
            assert isinstance(error, PeerError)
            assert f"machine 2 ({socket.gethostname()}) is gone" in str(error)


def test_all_learn_that_the_chief_is_gone(port):
    mets = all_meet(tasks(3, port))
    with watching(mets[1:]) as watches:
        for line in mets[0].lines.values():
            line.socket.close()
        assert all("machine 0" in str(watch.news_within(2)) for watch in watches)


def test_all_end_with_the_error_of_one(port):
    mets = all_meet(tasks(3, port))
    with watching(mets) as watches:
        watches[1].close(UserError("record 7 is bad"))
        for watch in (watches[0], watches[2]):
            error = watch.news_within(2)
            assert error.exit_status == 2
            assert str(error).endswith("ended: record 7 is bad")


def test_who_ends_well_is_no_news(port):
    mets = all_meet(tasks(3, port))
    with watching(mets) as watches:
        watches[2].close()
        watches[0].close()
        assert watches[1].news_within(0.2) is None


def test_the_lines_of_a_connection():
    left, right = map(Lines, socket.socketpair())
    assert left.send({"a": 1})
    assert left.send({"b": "ü"})
    assert (right.receive(), right.receive()) == ({"a": 1}, {"b": "ü"})
    assert right.is_open()
    right.socket.settimeout(0.01)
    with pytest.raises(TimeoutError):
        right.receive()
    left.close()
    assert not right.is_open()
    assert right.receive() is None
    started_at = time.monotonic()
    right.send({})
    assert time.monotonic() - started_at < 1
    right.close()


HANG = """
import socket, time
from cluster.lines import Lines
from cluster.meeting import Met
from cluster.watch import Watch
with socket.create_server(("127.0.0.1", 0)) as server:
    other = socket.create_connection(server.getsockname())
    line = Lines(server.accept()[0])
Watch(Met(0, ("0 (a)", "1 (b)"), ("a:1", "b:1"), {1: line}), heartbeat_secs=60)
other.close()
time.sleep(60)
"""


def test_a_process_that_hangs_when_another_is_gone_is_ended_soon():
    done = subprocess.run(
        [sys.executable, "-c", HANG],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == PeerError.exit_status
    assert done.stderr.startswith("error: machine 1 (b) is gone: ")
