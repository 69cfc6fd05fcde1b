"""Machines find out that their folders are one, in threads of one process."""

import concurrent.futures
import contextlib
import socket

import pytest

from cluster.lines import Lines
from cluster.meeting import Met
from engine.cluster import one_folder
from errors import PeerError, UserError


@contextlib.contextmanager
def three_met():
    """The chief and two others, after they met."""
    pairs = [tuple(map(Lines, socket.socketpair())) for _ in range(2)]
    names = ("0 (n1)", "1 (n2)", "2 (n3)")
    chief = Met(0, names, names, {1: pairs[0][0], 2: pairs[1][0]})
    others = [Met(r, names, names, {0: pairs[r - 1][1]}) for r in (1, 2)]
    yield [chief, *others]
    for pair in pairs:
        for line in pair:
            line.close()


@pytest.fixture
def mets():
    with three_met() as mets:
        yield mets


def outcomes(mets, folders):
    """What the check raises on each machine; None where it is content."""

    def check(met, folder):
        try:
            one_folder.require_shared(met, str(folder))
        except UserError as error:
            return error
        return None

    with concurrent.futures.ThreadPoolExecutor() as pool:
        return list(pool.map(check, mets, folders))


def test_a_folder_that_all_share_is_made_and_left_empty(mets, tmp_path):
    assert outcomes(mets, [tmp_path / "new" / "run"] * 3) == [None] * 3
    assert not list((tmp_path / "new" / "run").iterdir())


@pytest.mark.parametrize("is_there", [False, True])
def test_a_folder_of_another_machine_is_named_by_all(
    mets, tmp_path, monkeypatch, is_there
):
    monkeypatch.setattr(one_folder, "_SECS_TO_APPEAR", 0.3)
    own = tmp_path / "n3"
    if is_there:
        own.mkdir()
    errors = outcomes(mets, [tmp_path / "run", tmp_path / "run", own])
    assert {str(error) for error in errors} == {
        f"--train_dir={tmp_path}/run is not one folder on all machines: what 0 (n1)"
        " wrote there is not seen by 2 (n3): name a folder on a file system that all"
        " machines share"
    }
    assert {error.exit_status for error in errors} == {2}
    assert not list((tmp_path / "run").iterdir())


def test_a_folder_that_the_chief_cannot_write_is_named_by_all(mets, tmp_path):
    (tmp_path / "run").write_text("no folder")
    errors = outcomes(mets, [tmp_path / "run"] * 3)
    assert all(f"{tmp_path}/run: " in str(error) for error in errors)
    assert {error.exit_status for error in errors} == {2}


def test_who_is_gone_is_named_by_all(mets, tmp_path):
    mets[2].lines[0].close()
    errors = outcomes(mets[:2], [tmp_path] * 2)
    assert all("machine 2 (n3) is gone" in str(error) for error in errors)
    assert all(isinstance(error, PeerError) for error in errors)
