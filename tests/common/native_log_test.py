"""TensorFlow's start-up messages: dropped, unless what follows fails."""

import os

import pytest

from common import native_log

LOADING = b"E0000 libtensorflow is broken\n"


def test_what_is_written_inside_is_dropped(capfd):
    with native_log.held_back():
        os.write(2, LOADING)
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_it_is_shown_when_the_block_fails(capfd):
    def load():
        with native_log.held_back():
            os.write(2, LOADING)
            raise ImportError

    with pytest.raises(ImportError):
        load()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == f"{LOADING.decode()}after\n"
