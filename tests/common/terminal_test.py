"""What is shown on a terminal of 80 columns, or of another width."""

import io
import signal
import sys

import pytest

from common import terminal

ERASE = "\r\x1b[K"


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal, 80 columns wide as it knows no width."""

    def __init__(self):
        self._content = io.BytesIO()
        super().__init__(self._content, encoding="utf-8", write_through=True)

    def isatty(self):
        return True

    @property
    def text(self):
        return self._content.getvalue().decode()


@pytest.fixture
def take_stderr(monkeypatch):
    """Puts a terminal in the place of stderr, behind a `Screen` as commands have it."""

    def take():
        shown = Terminal()
        wrapper = terminal.Screen(shown)
        monkeypatch.setattr(wrapper, "isatty", lambda: True)
        # In the test, not before: pytest sets its own between a fixture and a test.
        monkeypatch.setattr(sys, "stderr", wrapper)
        monkeypatch.setattr(terminal, "_SECS_BETWEEN_DRAWINGS", 0)
        return shown

    yield take
    terminal.erase_live()


def test_what_is_no_terminal_has_no_width_and_is_not_wrapped():
    stream = io.StringIO()
    line = "word " * 40
    assert terminal.columns(stream) is None
    assert terminal.wrapped(line, stream) == line


def test_lines_break_at_words_and_hang():
    line = "12:00:00 " + " ".join(["abcdefgh"] * 13)
    first, second = terminal.wrapped(line, Terminal(), indent=9).split("\n")
    assert first == "12:00:00 " + " ".join(["abcdefgh"] * 8)  # 80 columns
    assert second == " " * 9 + " ".join(["abcdefgh"] * 5)
    fits = "12:00:00 short,  with blanks\n\tand a tab"
    assert terminal.wrapped(fits, Terminal(), indent=9) == fits


def test_paragraphs_are_filled_anew_and_indented_lines_stay():
    words = " ".join(["word"] * 17)  # 84 columns
    command = f"    python {'x' * 80} \\\n        --flag"
    text = f"Title.\n\n{words}\n{words}\n\n{command}\n\n{words}"
    filled = terminal.refilled(text, Terminal()).split("\n\n")
    assert [p.split() for p in filled] == [p.split() for p in text.split("\n\n")]
    assert [len(line) for line in filled[1].split("\n")] == [79, 79, 9]
    assert filled[2] == command
    assert terminal.refilled(text, io.StringIO()) == text
    assert terminal.refilled("short\nlines", Terminal()) == "short\nlines"


def test_a_path_is_never_broken():
    path = "/data/" + "flower-photos/" * 10
    lines = terminal.wrapped(f"12:00:00 written to {path} now", Terminal(), 9)
    assert [line.strip() for line in lines.split("\n")] == [
        "12:00:00 written to",
        path,
        "now",
    ]


def test_the_live_line_is_drawn_in_place_and_erased(take_stderr):
    screen = take_stderr()
    terminal.show_live("step 1")
    terminal.show_live("step 2")
    terminal.erase_live()
    terminal.erase_live()
    assert screen.text == f"step 1{ERASE}step 2{ERASE}"


@pytest.mark.parametrize("wide", [False, True])
def test_the_live_line_never_wraps(take_stderr, wide):
    screen = take_stderr()
    terminal.show_live(("界" if wide else "x") * 200)
    assert screen.text.endswith("…")
    assert len(screen.text) == (40 if wide else 79)


def test_whatever_is_written_erases_the_live_line_first(take_stderr):
    screen = take_stderr()
    stdout = Terminal()
    out = terminal.Screen(stdout)
    terminal.show_live("step 1")
    print("plan", file=out, flush=True)
    assert stdout.text == "plan\n"
    assert screen.text == f"step 1{ERASE}"
    terminal.show_live("step 2")
    print("a log line", file=sys.stderr, flush=True)
    assert screen.text == f"step 1{ERASE}step 2{ERASE}a log line\n"


def test_no_live_line_where_ctrl_c_would_leave_it(take_stderr):
    screen = take_stderr()
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        terminal.show_live("step 1")
    finally:
        signal.signal(signal.SIGINT, before)
    assert screen.text == ""


def test_no_live_line_but_on_a_terminal(capsys):
    terminal.show_live("step 1")
    assert capsys.readouterr().err == ""
