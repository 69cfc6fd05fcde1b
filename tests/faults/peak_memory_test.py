"""Tests of peak_memory, on processes that take a known size."""

import subprocess
import sys

import pytest

from tests.faults import peak_memory

_TAKE_300_MB = "taken = b'1' * (300 * 2**20); import time; time.sleep(0.5)"
_IN_A_CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', {!r}])"


@pytest.mark.parametrize("generation", range(3))
def test_a_process_is_seen_however_far_down(generation):
    code = _TAKE_300_MB
    for _ in range(generation):
        code = _IN_A_CHILD.format(code)
    process = subprocess.Popen([sys.executable, "-c", code])
    assert 300 < peak_memory.largest_mb(process) < 340


def test_what_the_caller_takes_does_not_count():
    taken = b"1" * (300 * 2**20)
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.2)"])
    assert 0 < peak_memory.largest_mb(process) < 100
    assert taken
