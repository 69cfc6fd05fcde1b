"""The message of an error is one line, and so is its part in another's."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from errors import UserError, first_line, nearest, one_line


@given(st.text())
@example("model.json: unknown key '\n'")
def test_a_message_is_one_line_whatever_it_quotes(message):
    shown = str(UserError(message))
    assert len(shown.splitlines()) <= 1
    assert shown.split() == message.split()


def test_a_message_keeps_the_spaces_of_a_name():
    assert str(UserError("no such folder: my  photos")) == "no such folder: my  photos"


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


@pytest.mark.parametrize("name", ["pol1", "POOL1", "Pool_1"])
def test_the_nearest_names_are_spelled_alike_whatever_their_case(name):
    assert "pool1" in nearest(name, ["conv1", "pool1", "pool2"])
    assert nearest("zzz", ["conv1", "pool1"]) == ""
