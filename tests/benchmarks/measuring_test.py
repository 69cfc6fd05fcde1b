import dataclasses
import itertools
import os
import time

import pytest

from benchmarks import measuring
from benchmarks.measuring import Contestant, MissingPeerError, Scale

HERE = Scale(rounds=3, isolated=False)


def counting_from(first: float, turns: list[str], name: str) -> measuring.Measure:
    figures = itertools.count(first)

    def measure() -> float:
        turns.append(name)
        return next(figures)

    return measure


def missing() -> measuring.Measure:
    raise MissingPeerError("not installed: pip install it")


def pid() -> measuring.Measure:
    return lambda: float(os.getpid())


def test_contestants_take_turns():
    turns: list[str] = []
    figures = measuring.race(
        [
            Contestant("a", lambda: counting_from(1, turns, "a")),
            Contestant("absent", missing),
            Contestant("b", lambda: counting_from(10, turns, "b")),
        ],
        HERE,
    )
    assert figures == {
        "a": [1, 2, 3],
        "absent": "not installed: pip install it",
        "b": [10, 11, 12],
    }
    assert turns == ["a", "b"] * 3


def test_each_has_a_process_of_its_own():
    scale = dataclasses.replace(HERE, isolated=True, rounds=2)
    figures = measuring.race(
        [Contestant("a", pid), Contestant("absent", missing), Contestant("b", pid)],
        scale,
    )
    first, second = figures["a"], figures["b"]
    assert first[0] == first[1] != second[0] == second[1]
    assert os.getpid() not in (first[0], second[0])
    assert figures["absent"] == "not installed: pip install it"
    assert measuring.in_fresh_process(os.getpid, scale) != os.getpid()


def test_rate_counts_images_and_makes_a_step_at_least(monkeypatch):
    seconds = itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: next(seconds))
    # The clock says 0 at the start, then 1, 2, 3 before a step, and 4: 4 > 3.
    assert measuring.rate(lambda: 8, 3.5) == 3 * 8 / 4
    monkeypatch.undo()
    assert measuring.rate(lambda: 8, 0) > 0


@pytest.mark.parametrize(
    ("more_is_better", "times"), [(True, "2.00×"), (False, "0.50×")]
)
def test_a_table_compares_those_of_a_round(more_is_better, times):
    figures: dict[str, list[float] | str] = {
        "ours": [30.0, 10.0, 20.0],
        "peer": [15.0, 40.0, 10.0],
        "other": "not installed",
    }
    text = measuring.table("race", figures, "s", more_is_better=more_is_better)
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines()[3:]}
    assert text.splitlines()[0] == "race"
    assert rows["ours"] == ["20", "10", "to", "30"]
    assert rows["peer"] == ["15", times, "10", "to", "40"]
    assert rows["other"] == ["not", "installed"]
