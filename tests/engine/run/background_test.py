"""Writes run in order, in the background, and their errors are not lost."""

import threading

import pytest

from engine.run.background import BackgroundWriter
from errors import UserError


def fail():
    raise UserError("the disk is full")


def test_writes_are_done_in_order_in_the_background_and_before_the_end():
    written: list[int] = []
    may_go_on = threading.Event()
    with BackgroundWriter() as writer:
        writer.submit(lambda: written.append(may_go_on.wait(10)))
        writer.submit(lambda: written.append(2))
        assert not written  # the first still waits, and the caller does not
        may_go_on.set()
        writer.submit(lambda: written.append(3))
    assert written == [True, 2, 3]


def test_no_more_than_two_wait():
    may_go_on = threading.Event()
    submitted = []

    def submit_three(writer):
        for number in range(3):
            writer.submit(may_go_on.wait)
            submitted.append(number)

    with BackgroundWriter() as writer:
        caller = threading.Thread(target=submit_three, args=[writer])
        caller.start()
        caller.join(0.2)
        assert submitted == [0, 1]
        may_go_on.set()
        caller.join()
    assert submitted == [0, 1, 2]


def test_an_error_comes_at_the_end():
    with pytest.raises(UserError, match="full"), BackgroundWriter() as writer:
        writer.submit(fail)


def test_an_error_comes_with_the_next_write_and_nothing_is_written_after_it():
    written = []
    with BackgroundWriter() as writer:
        writer.submit(fail)
        with pytest.raises(UserError, match="full"):
            writer.wait()
        writer.submit(lambda: written.append(1))
    assert not written


def raise_beside(writer):
    with writer:
        writer.submit(fail)
        raise KeyError


def test_an_error_of_the_caller_is_not_replaced():
    with pytest.raises(KeyError):
        raise_beside(BackgroundWriter())
