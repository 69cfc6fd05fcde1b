"""A signal becomes an exception, but never where TensorFlow would crash."""

import ctypes
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from common import signal_errors


class StoppedError(Exception):
    """What the signal of these tests raises."""


@pytest.fixture(autouse=True)
def handled():
    before = signal.getsignal(signal.SIGUSR1)
    signal_errors.raise_on(signal.SIGUSR1, StoppedError)
    yield
    signal.signal(signal.SIGUSR1, before)


LIBRARY = """
import os, signal, time

def work(secs, done):
    os.kill(os.getpid(), signal.SIGUSR1)
    ends_at = time.monotonic() + secs
    while time.monotonic() < ends_at:
        pass
    done.append(secs)
"""


@pytest.fixture
def work_in_library():
    names: dict[str, Any] = {}
    exec(LIBRARY, names)
    return names["work"]


def secs_until_stopped(work, *values):
    """Seconds after which the exception came."""

    def run():
        work(*values)
        time.sleep(5)

    started_at = time.monotonic()
    with pytest.raises(StoppedError):
        run()
    return time.monotonic() - started_at


def test_in_code_of_the_project_it_is_raised_at_once():
    assert secs_until_stopped(os.kill, os.getpid(), signal.SIGUSR1) < 0.3


def test_a_library_has_a_moment_to_return(work_in_library):
    done: list[float] = []
    assert secs_until_stopped(work_in_library, 0.05, done) < 2
    assert done


def test_after_a_long_call_into_c_it_comes_at_once():
    library: dict[str, Any] = {"usleep": ctypes.CDLL(None).usleep}
    exec("def sleep(secs):\n    usleep(int(secs * 1e6))", library)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1)).start()

    def work():
        while True:
            library["sleep"](0.7)

    assert secs_until_stopped(work) < 1.2  # one call, not two


def test_a_second_one_does_not_wait(work_in_library):
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    assert secs_until_stopped(work_in_library, 4, []) < 0.3


def test_but_it_does_not_have_long(work_in_library):
    done: list[float] = []
    assert 0.3 < secs_until_stopped(work_in_library, 4, done) < 2
    assert not done


def test_a_conversion_to_a_tensor_is_never_cut_short(work_in_library):
    done: list[float] = []

    def convert_to_eager_tensor():
        work_in_library(0.6, done)

    secs_until_stopped(convert_to_eager_tensor)
    assert done


def test_what_a_finalizer_drops_comes_again():
    class Finalized:
        def __del__(self):
            raise KeyboardInterrupt

    before = sys.unraisablehook, signal.getsignal(signal.SIGINT)
    sys.unraisablehook = signal_errors.insist
    signal_errors.raise_on(signal.SIGINT, StoppedError)
    try:
        secs_until_stopped(Finalized)
    finally:
        sys.unraisablehook = before[0]
        signal.signal(signal.SIGINT, before[1])


def test_tensorflow_survives_any_number_of_them():
    script = pathlib.Path(__file__).with_name("stopped_tensors.py")
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 100
