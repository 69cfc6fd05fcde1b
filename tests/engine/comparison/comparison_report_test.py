"""Rows and curves of a comparison, by hand."""

import csv

from common import terminal
from engine.comparison import comparison_report
from tests.engine.comparison.facts import facts


def test_a_row_has_what_is_known():
    run = facts("a", {2: 0.75, 4: 0.8}, start="published/model.ckpt")
    (row,) = comparison_report.rows([run], [0.4, 1, 5])
    # 80 of 100: Wilson's interval is 0.7112 to 0.8666; six seconds for two epochs.
    shares = ["", "0.7500", "0.8000", "0.8000", "0.7112–0.8666"]
    assert row == ["a", "tiny", "published/model.ckpt", "7", *shares, "3.0", "6"]


def test_what_nothing_says_is_blank():
    unknown = dict.fromkeys(("num_trained", "steps_per_epoch", "secs"))
    (row,) = comparison_report.rows([facts("a", **unknown)], [1])
    assert row == ["a", "tiny", "random", "", "", "", "", "", ""]


def test_a_terminal_of_80_columns_shows_what_fits(monkeypatch):
    monkeypatch.setattr(terminal, "columns", lambda stream: 80)
    run = facts("runs/flowers/2-last-blocks", {2: 0.75}, start="weights/inception_v3/a")
    table = comparison_report.table([run, run], [1, 5, 10])
    assert max(map(len, table.splitlines())) <= 80
    assert "runs/flowers/2-last-blocks" in table
    assert "best" in table
    assert "trained" not in table
    monkeypatch.setattr(terminal, "columns", lambda stream: None)
    assert "trained" in comparison_report.table([run], [])


def test_stages_follow_each_other_with_a_boundary_between():
    head = facts("r/1-head", {4: 0.5}, recipe="r")
    top = facts("r/2-top", {2: 0.6, 4: 0.7}, recipe="r")
    points, boundaries = comparison_report._joined([head, top])
    assert points == [(2.0, 0.5), (3.0, 0.6), (4.0, 0.7)]
    assert boundaries == [2.0]


def test_files_hold_the_rows_and_names_do_no_harm(tmp_path):
    runs = [facts("<b>a", {2: 0.5}, num_trained=1234), facts("b")]
    comparison_report.write(str(tmp_path / "out"), runs, [], ["A & B."], "python x")
    with open(tmp_path / "out" / "comparison.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["best"] for row in rows] == ["0.5000", ""]
    assert [row["trained"] for row in rows] == ["1234", "7"]
    page = (tmp_path / "out" / "comparison.html").read_text()
    assert "&lt;b&gt;a" in page
    assert "<b>a" not in page
    assert "A &amp; B." in page
    assert "image/svg+xml" in page
    assert "http" not in page
