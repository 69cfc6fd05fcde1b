"""Formats of log lines: short ones to read, long ones for files."""

import copy
import logging as python_logging
import os
import stat
import sys
import time
from typing import TextIO

from absl import logging

from common import terminal
from common.untrusted_text import printable, printable_lines

_INDENT = len("HH:MM:SS ")


class LogLines(logging.PythonFormatter):
    """`HH:MM:SS message`, in which no name can break the line or move the cursor.

    Warnings and errors are marked as such. With a --verbosity above info, and if stderr
    is a file, lines have absl's prefix: date, process, file and line. On a terminal,
    long lines are wrapped between words.
    """

    def format(self, record: python_logging.LogRecord) -> str:
        """Formats a record; strings among its arguments are escaped as names."""
        record = copy.copy(record)
        if isinstance(record.args, tuple):
            record.args = tuple(map(_printable_argument, record.args))
        if logging.get_verbosity() > logging.INFO or _is_file(sys.stderr):
            return printable_lines(super().format(record))
        at = time.strftime("%H:%M:%S", time.localtime(record.created))
        level = ""
        if record.levelno >= python_logging.WARNING:
            level = f"{record.levelname.lower()}: "
        message = python_logging.Formatter.format(self, record)
        line = printable_lines(f"{at} {level}{message}")
        return terminal.wrapped(line, sys.stderr, _INDENT)


def _printable_argument(value: object) -> object:
    if isinstance(value, Exception):
        value = str(value)
    return printable(value) if isinstance(value, str) else value


def _is_file(stream: TextIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False
