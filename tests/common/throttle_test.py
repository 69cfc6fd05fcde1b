"""Lines that come so many seconds apart."""

import math

import pytest

from common.throttle import Throttle


@pytest.mark.parametrize(
    ("secs", "due_at"),
    [(0.0, [0, 1, 2, 5, 6, 9]), (5.0, [0, 5]), (4.0, [0, 5, 9]), (math.inf, [0])],
)
def test_a_line_is_due_so_long_after_the_last(monkeypatch, secs, due_at):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    throttle, due = Throttle(secs), []
    for now[0] in (0, 1, 2, 5, 6, 9):
        if throttle.is_due():
            due.append(now[0])
    assert due == due_at
