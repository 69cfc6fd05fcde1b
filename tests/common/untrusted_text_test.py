"""Names with what terminals obey and spreadsheets compute."""

import csv
import io
import json
import pathlib
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common import untrusted_text
from common.untrusted_text import CsvWriter, csv_text, printable

ROOT = pathlib.Path(untrusted_text.__file__).parents[1]
any_text = st.text(st.characters())  # surrogates included


def written(*cells) -> str:
    file = io.StringIO()
    CsvWriter(file).write_row(cells)
    return file.getvalue()


def test_what_cannot_be_shown_is_escaped():
    assert printable("a\n\x1b[1m\udcffü山 ") == "a\\n\\x1b[1m\\udcffü山 "
    assert printable("\x9b31m\u202egpj.exe\u2066\x7f\r") == (
        "\\x9b31m\\u202egpj.exe\\u2066\\x7f\\r"
    )


def test_lines_keep_their_ends():
    assert untrusted_text.printable_lines("a\tb\nc\r\x1b]0;x\x07") == (
        "a\tb\nc\\r\\x1b]0;x\\x07"
    )


@given(any_text)
def test_nothing_that_acts_is_left(text):
    assert printable(text).isprintable()
    lines = untrusted_text.printable_lines(text)
    assert lines.replace("\n", "").replace("\t", "").isprintable()


@given(any_text)
@example("\x9b1m \U000e0001 \ud800 \u202e")
def test_json_means_the_same(text):
    shown = untrusted_text.json_text(json.dumps({"name": text}, ensure_ascii=False))
    assert shown.isprintable()
    assert json.loads(shown) == {"name": text}


@pytest.mark.parametrize(
    "formula",
    ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", " =1", "\n=1", "＝1"],
)
def test_a_formula_becomes_text(formula):
    (cell,) = next(csv.reader(io.StringIO(written(formula))))
    assert cell == "'" + formula
    assert csv_text(cell) == formula


@pytest.mark.parametrize("number", ["-0.5", "+1", "-1e-05", "-.5", "-3"])
def test_numbers_stay_numbers(number):
    assert written(number) == f"{number}\n"
    assert written(float(number), -3) == f"{float(number)},-3\n"


@given(st.lists(any_text, min_size=1, max_size=3))
@example(["'=1"])
@example(["''=1", "'", "'-1", "-1"])
def test_cells_come_back(cells):
    shown = [untrusted_text.printable_lines(cell) for cell in cells]
    rows = list(csv.reader(io.StringIO(written(*cells), newline="")))
    assert [[csv_text(cell) for cell in row] for row in rows] == [shown]
    for cell in rows[0]:
        is_number = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", cell)
        assert is_number or not cell.lstrip().startswith(("=", "+", "-", "@"))


def test_no_other_csv_writer_is_used():
    hidden = (".", "bazel-")  # an environment, and Bazel's links to copies
    folders = [p for p in ROOT.iterdir() if p.is_dir()]
    folders = [p for p in folders if not p.name.startswith(hidden)]
    sources = [*ROOT.glob("*.py"), *(p for at in folders for p in at.rglob("*.py"))]
    using = {
        str(path.relative_to(ROOT))
        for path in sources
        if re.search(r"csv\.(Dict)?[wW]riter\(", path.read_text(encoding="utf-8"))
    }
    assert {path for path in using if not path.startswith("tests/")} == {
        "common/untrusted_text.py"
    }
