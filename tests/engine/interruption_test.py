"""Signals, sent to this process and to one of its own."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from engine import interruption as interruption_module
from engine.interruption import Interruption, interruption

NUMBERS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_is_noted_and_the_run_continues(number):
    with interruption() as watch:
        assert not watch
        os.kill(os.getpid(), number)
        assert watch
        assert watch.signal_number == number
        assert watch.exit_status == 128 + number


def test_without_a_signal_the_exit_status_is_0():
    with interruption() as watch:
        pass
    assert watch.exit_status == 0


def test_the_time_limit_asks_to_try_again_later(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with interruption(Interruption(30)) as watch:
        now[0] = 129.0
        assert not watch
        now[0] = 130.0
        assert watch
        assert watch.exit_status == 75
        os.kill(os.getpid(), signal.SIGTERM)
        assert watch.exit_status == 143


@pytest.mark.parametrize("ending", [None, ZeroDivisionError])
def test_the_handlers_are_put_back(ending):
    before = [signal.getsignal(number) for number in NUMBERS]
    try:
        with interruption():
            os.kill(os.getpid(), signal.SIGINT)
            if ending:
                raise ending
    except ZeroDivisionError:
        pass
    assert [signal.getsignal(number) for number in NUMBERS] == before


@pytest.mark.parametrize("second", NUMBERS)
def test_a_second_signal_of_either_kind_ends_the_process_at_once(second):
    # The module alone, without the package, which would load TensorFlow.
    script = f"""
import os, sys
sys.path.insert(0, {str(pathlib.Path(interruption_module.__file__).parent)!r})
from interruption import interruption
with interruption() as watch:
    os.kill(os.getpid(), {int(signal.SIGTERM)})
    print("continuing", flush=True)
    os.kill(os.getpid(), {int(second)})
    print("still there", flush=True)
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -second
    assert done.stdout == "continuing\n"
    assert "SIGTERM: stopping after the current steps" in done.stderr
