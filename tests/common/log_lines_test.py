"""How a log line begins, and where it breaks."""

import io
import logging as python_logging
import re
import sys

import pytest
from absl import logging

from common import terminal
from common.log_lines import LogLines


@pytest.fixture
def line_of(monkeypatch):
    """Formats a record as for a pipe."""

    def line_of(message, *args, level=python_logging.INFO, stderr=None):
        # In the test, not before: pytest sets its own between a fixture and a test.
        monkeypatch.setattr(sys, "stderr", stderr or io.StringIO())
        logger = logging.get_absl_logger()
        source = ("absl", level, "train.py", 7)
        return LogLines().format(logger.makeRecord(*source, message, args, None))

    before = logging.get_verbosity()
    logging.set_verbosity(logging.INFO)
    yield line_of
    logging.set_verbosity(before)


def test_a_line_has_its_time_and_is_whole(line_of):
    line = line_of("step %d " + "word " * 40, 3)
    assert re.fullmatch(r"\d\d:\d\d:\d\d step 3 (word ){40}", line)


@pytest.mark.parametrize(
    ("level", "prefix"), [("WARNING", "warning: "), ("ERROR", "error: "), ("INFO", "")]
)
def test_what_needs_attention_says_so(line_of, level, prefix):
    line = line_of("full", level=getattr(python_logging, level))
    assert line[len("HH:MM:SS ") :] == f"{prefix}full"


def test_a_terminal_wraps_with_a_hanging_indent(line_of, monkeypatch):
    monkeypatch.setattr(terminal, "columns", lambda stream: 40)
    lines = line_of("word " * 20).split("\n")
    assert len(lines) > 2
    assert all(len(line) <= 40 for line in lines)
    assert all(line.startswith(" " * 9 + "word") for line in lines[1:])


def test_a_file_and_a_debugger_have_the_long_prefix(line_of, tmp_path):
    long = r"I\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ train.py:7\] full"
    logging.set_verbosity(logging.DEBUG)
    assert re.fullmatch(long, line_of("full"))
    logging.set_verbosity(logging.INFO)
    with open(tmp_path / "log", "w") as file:
        assert re.fullmatch(long, line_of("full", stderr=file))
