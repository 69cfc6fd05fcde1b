"""How the message of another error becomes a part of one line."""

import pytest

from errors import first_line, one_line


@pytest.mark.parametrize(
    ("message", "joined", "first"),
    [
        ("no such file", "no such file", "no such file"),
        ("\n bad value:\n\t3 of 2\n", "bad value: 3 of 2", "bad value:"),
        ("", "ValueError", "ValueError"),
        (" \n ", "ValueError", "ValueError"),
    ],
)
def test_an_error_in_one_line(message, joined, first):
    assert one_line(ValueError(message)) == joined
    assert first_line(ValueError(message)) == first
