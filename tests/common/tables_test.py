"""Tables for terminals and for Markdown."""

import pytest

from common import tables, terminal

HEADERS = ("scope", "parameters")
ROWS = [["Net/Block_1", "1,234,567"], ["Net/Logits", "85"]]


def lines_of(text):
    return [line for line in text.splitlines() if line.strip()]


def test_words_stand_left_and_numbers_right():
    header, rule, first, second = lines_of(tables.text_table(HEADERS, ROWS))
    assert header == " scope         parameters"
    assert set(rule.strip()) == {"─"}
    assert first == " Net/Block_1    1,234,567"
    assert second == " Net/Logits            85"


def test_a_title_stands_above():
    text = tables.text_table(HEADERS, ROWS, title="plan (/a/b)")
    assert text.startswith("plan (/a/b)\n")


def test_a_column_with_a_word_is_text():
    *_, last = lines_of(tables.text_table(("a", "b"), [["1", "x"], ["1000", "22"]]))
    assert last.split() == ["1000", "22"]
    rows = lines_of(tables.text_table(("number",), [["7"], ["restored"]]))
    assert rows[2] == " 7"


def test_an_empty_cell_does_not_make_a_column_text():
    rows = lines_of(tables.text_table(("number",), [["7"], [""], ["1000"]]))
    assert rows[2] == "      7"


def test_no_line_is_wrapped_or_cut():
    long = "InceptionV3/" * 100
    for rows in ([[long, "end"]], [["short", "end"]]):
        text = tables.text_table(("a", "b"), rows, title=long)
        assert [line.split() for line in lines_of(text)][-1:] == rows
        assert lines_of(text)[0] == long


def test_cells_are_taken_literally():
    cells = ["[bold]x[/bold]", ":smile:", "[/]", "a\\b"]
    text = tables.text_table(("a", "b", "c", "d"), [cells], title="[red]t[/red]")
    assert lines_of(text)[-1].split() == cells
    assert lines_of(text)[0] == "[red]t[/red]"


def test_a_table_without_rows_has_its_header():
    assert lines_of(tables.text_table(HEADERS, []))[0].split() == list(HEADERS)


def test_markdown():
    assert tables.markdown_table(HEADERS, ROWS).splitlines() == [
        "| scope | parameters |",
        "| --- | --- |",
        "| Net/Block_1 | 1,234,567 |",
        "| Net/Logits | 85 |",
    ]


def test_names_cannot_act():
    name = "a\x1b[31m\n\u202eb"
    text = tables.text_table((name,), [[name]], title=name)
    assert lines_of(text)[-1].strip() == "a\\x1b[31m\\n\\u202eb"
    assert text.replace("\n", "").isprintable()
    assert len(lines_of(text)) == 4


def test_a_line_of_markdown_gives_its_cells_back():
    line = tables.markdown_table(HEADERS, [["a | b|c", "1\n2"]]).splitlines()[-1]
    assert line == "| a \\| b\\|c | 1\\n2 |"
    assert tables.markdown_cells(line) == ["a | b|c", "1\\n2"]


PLAN = ("scope", "variables", "parameters", "weights", "training")
PLAN_ROWS = [
    ["InceptionV3/Mixed_7c", "120", "6,073,536", "restored", "frozen"],
    ["InceptionV3/AuxLogits", "12", "3,264,444", "10 restored, 2 new", "trained"],
]


def test_a_pipe_gets_the_whole_table_on_whole_lines():
    text = tables.printed(PLAN, PLAN_ROWS, optional=["variables"])
    assert text == tables.text_table(PLAN, PLAN_ROWS)


@pytest.mark.parametrize("width", [200, 80, 70, 60, 50])
def test_a_table_fits_the_terminal(monkeypatch, width):
    monkeypatch.setattr(terminal, "columns", lambda stream: width)
    text = tables.printed(PLAN, PLAN_ROWS, title="a plan " * 9, optional=["variables"])
    assert all(len(line) <= width for line in text.splitlines())
    assert ("variables" in text) == (width > 60), "left out only where it must be"
    for word in ("6,073,536", "restored,", "trained", "Mixed_7c", "AuxLogits"):
        assert word in text, "no word is broken"


def test_where_nothing_helps_a_table_is_too_wide_rather_than_cut(monkeypatch):
    monkeypatch.setattr(terminal, "columns", lambda stream: 20)
    text = tables.printed(PLAN, PLAN_ROWS)
    assert all(word in text for word in ("…", "variables", "6,073,536", "restored,"))


def test_no_character_of_a_narrow_table_is_lost():
    headers = ("run", "epoch 1", "epoch 5", "best", "95%")
    row = ["a" * 39, "", "0.8182", "0.8636", "0.6667–0.9525"]
    for width in range(79, 90):
        text = tables.text_table(headers, [row], width=width)
        assert max(map(len, text.splitlines())) <= width
        assert all(cell in text for cell in row)
