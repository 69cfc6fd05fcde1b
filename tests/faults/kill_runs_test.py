"""A short form of kill_runs: every kind of run killed once."""

from tests.faults import kill_runs


def test_a_killed_run_ends_with_the_same_bytes(tmp_path):
    rows = kill_runs.check(tmp_path, kills=1, steps=30, num_photos=150)
    assert [row[1] for row in rows] == ["1"] * 3
    assert [row[-1] for row in rows] == ["0"] * 3
