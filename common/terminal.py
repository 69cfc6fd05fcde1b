"""Output on a terminal: its width, lines wrapped between words, one live line.

The live line is the last one on the screen and is redrawn in place. `Screen` wraps
stdout and stderr to erase it before anything else is written.
"""

import io
import os
import re
import signal
import sys
import textwrap
import threading
import time
from typing import Any, TextIO

from rich.text import Text

_SECS_BETWEEN_DRAWINGS = 0.1
_FALLBACK_COLUMNS = 80  # of a terminal that does not know its width
_ERASE = "\r\x1b[K"


class _LiveLine:
    """Whether the live line is on the screen, and since when."""

    is_shown = False
    drawn_at = 0.0
    lock = threading.RLock()  # a signal handler that logs may find it held


def columns(stream: TextIO) -> int | None:
    """Width of the terminal that a stream goes to; None if it is not a terminal."""
    if not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or _FALLBACK_COLUMNS
    except (OSError, ValueError):  # not backed by a file descriptor
        return _FALLBACK_COLUMNS


def wrapped(text: str, stream: TextIO, indent: int = 0) -> str:
    """Wraps lines between words to fit the stream's terminal.

    Args:
      text: one or more lines.
      stream: where they will be written; unless it is a terminal, nothing is wrapped.
      indent: number of spaces before the continuation of a line.
    """
    width = columns(stream)
    if width is None:
        return text
    wrapper = textwrap.TextWrapper(
        width,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    lines = text.split("\n")
    return "\n".join(
        line if len(line) <= width else wrapper.fill(line) for line in lines
    )


def refilled(text: str, stream: TextIO) -> str:
    """Fills paragraphs anew to fit the stream's terminal, except for indented lines.

    Args:
      text: paragraphs separated by blank lines.
      stream: where they will be written; unless it is a terminal, nothing changes.
    """
    width = columns(stream)
    if width is None or max(map(len, text.split("\n"))) <= width:
        return text
    return "\n\n".join(
        paragraph
        if re.search("^ ", paragraph, re.MULTILINE)
        else wrapped(" ".join(paragraph.split("\n")), stream)
        for paragraph in text.split("\n\n")
    )


def show_live(text: str) -> None:
    """Draws the live line on stderr, if it is a terminal, at most ten times a second.

    It is not drawn while Ctrl-C would end the process at once, as after a first Ctrl-C
    in training, since nothing could erase it then.
    """
    now = time.monotonic()
    if _LiveLine.is_shown and now - _LiveLine.drawn_at < _SECS_BETWEEN_DRAWINGS:
        return
    stream = sys.stderr
    width = columns(stream)
    if width is None or signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        return
    line = Text(text)
    line.truncate(width - 1, overflow="ellipsis")
    with _LiveLine.lock:
        erase_live()
        stream.write(line.plain)
        stream.flush()
        _LiveLine.is_shown, _LiveLine.drawn_at = True, now


def erase_live() -> None:
    """Erases the live line, if there is one."""
    if not _LiveLine.is_shown:
        return
    with _LiveLine.lock:
        _LiveLine.is_shown = False
        sys.stderr.write(_ERASE)
        sys.stderr.flush()


class Screen(io.TextIOWrapper):
    """A standard stream that erases the live line before it writes."""

    def __init__(self, stream: Any) -> None:
        """Wraps a stream.

        Args:
          stream: stdout or stderr, a text stream with a binary buffer.
        """
        super().__init__(
            stream.buffer,
            encoding=stream.encoding,
            errors="backslashreplace",
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,  # python -u
        )

    def write(self, text: str) -> int:
        """Writes text."""
        erase_live()
        return super().write(text)
