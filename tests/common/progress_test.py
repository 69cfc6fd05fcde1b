"""Progress: plain lines in a log, a live line on a terminal."""

import sys
import time

import pytest
from absl import logging

from common import progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves only when told."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def lines(monkeypatch):
    logged: list[str] = []
    monkeypatch.setattr(logging, "info", lambda text, *args: logged.append(text % args))
    return logged


def walk(clock, seconds, total):
    """Walks through one element for each number of seconds that it takes."""
    elements = progress.progress(
        range(len(seconds)), total=total, desc="converting", unit="image"
    )
    seen = []
    for element in elements:
        seen.append(element)
        clock[0] += seconds[element]
    return seen


def test_a_line_every_ten_seconds_with_count_and_rate(clock, lines):
    assert walk(clock, [4] * 6, total=6) == list(range(6))
    assert lines == [
        "converting: 3 of 6 images, 0.2/s",  # after 12 seconds
        "converting: 6 of 6 images, 0.2/s",
    ]


def test_what_is_quick_logs_nothing(clock, lines):
    walk(clock, [0.1] * 50, total=50)
    assert lines == []


def test_an_unknown_total(clock, lines):
    walk(clock, [20, 20], total=None)
    assert lines == ["converting: 1 images, 0.1/s", "converting: 2 images, 0.1/s"]


@pytest.mark.parametrize("terminal", [False, True])
def test_elements_come_one_by_one(monkeypatch, terminal):
    """What is walked through must not run ahead of its user."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    taken = []

    def source():
        for i in range(3):
            taken.append(i)
            yield i

    elements = progress.progress(source(), total=3, desc="d", unit="u")
    assert taken == []
    assert next(elements) == 0
    assert taken == [0]
    assert list(elements) == [1, 2]


def test_a_live_line_on_a_terminal(clock, lines, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert walk(clock, [2] * 4, total=4) == [0, 1, 2, 3]
    assert lines == []
    *drawn, last = capsys.readouterr().err.split("\r\x1b[K")
    assert (
        drawn[0] == f"converting  {'━' * 3}{'╌' * 9}  1 of 4 images  0.5/s  0:06 left"
    )
    assert [text.split("  ")[2] for text in drawn] == [
        f"{n} of 4 images" for n in (1, 2, 3, 4)
    ]
    assert last == "", "nothing is left on the screen"


def test_a_rate_is_shown_once_it_means_something(clock, monkeypatch, capsys):
    """The first elements are often ready before they are asked for."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    walk(clock, [0.001, 0.5, 0.5], total=3)
    first, second, third, _ = capsys.readouterr().err.split("\r\x1b[K")
    assert first == f"converting  {'━' * 4}{'╌' * 8}  1 of 3 images"
    assert second.endswith("2 of 3 images")
    assert third.endswith("3 of 3 images  3.0/s  0:00 left")


def test_a_live_line_of_an_unknown_total(clock, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    walk(clock, [2], total=None)
    assert capsys.readouterr().err == "converting  1 images  0.5/s\r\x1b[K"


@pytest.mark.parametrize(
    ("secs", "shown"), [(0, "0:00"), (59.6, "1:00"), (3661, "1:01:01")]
)
def test_a_length_of_time(secs, shown):
    assert progress.clock(secs) == shown


def test_an_error_inside_passes_through():
    def source():
        yield 1
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(progress.progress(source(), total=2, desc="d", unit="u"))
