import collections

import pytest

from convert.inspection import report
from convert.inspection.survey import Record, Survey
from datasets.dataset import Dataset, Shard


def split(name, counts):
    shard = Shard("f", sum(counts), 2_500_000)
    names = ("cat", "two\nlines")
    return Dataset("pets", name, "d", (shard,), sum(counts), 2, names, counts)


TRAIN, TEST = split("train", (1000, 2)), split("test", (1, 0))


def rows(text):
    """Cells by line, the rule below the header left out."""
    return [line.split("  ") for line in text.splitlines() if "──" not in line]


def cells(text):
    return [[cell.strip() for cell in row if cell.strip()] for row in rows(text)]


def test_classes_by_split():
    assert cells(report.class_table([TRAIN, TEST])) == [
        ["class", "train", "test", "all"],
        ["0:cat", "1,000", "1", "1,001"],
        ["1:two\\nlines", "2", "0", "2"],
        ["all", "1,002", "1", "1,003"],
    ]


def test_sizes_by_split():
    survey = Survey(0)
    survey.sizes = {"train": [(10, 4), (30, 5), (20, 900)], "test": []}
    survey.formats = {
        "train": collections.Counter({"JPEG": 2, "PNG": 1}),
        "test": collections.Counter(),
    }
    assert cells(report.size_table([TRAIN, TEST], survey)) == [
        ["split", "MB", "formats", "width", "height"],
        ["train", "2.5", "2 JPEG, 1 PNG", "10 … 20 … 30", "4 … 5 … 900"],
        ["test", "2.5"],
    ]


def copies(*groups):
    survey = Survey(0)
    for digest, group in enumerate(groups):
        survey._alike[bytes([digest])] = [
            Record(name, "f", number, label, f"{number}\n.jpg")
            for number, (name, label) in enumerate(group)
        ]
    return survey


def test_the_gravest_copies_come_first():
    survey = copies(
        [("train", 0)],
        [("train", 0), ("train", 0), ("train", 0)],
        [("train", 0), ("train", 1)],
        [("train", 0), ("test", 0)],
    )
    lines = report.copies_text(TRAIN, survey).splitlines()
    assert lines[0] == (
        "7 images have copies, in 3 groups: 1 across splits, 1 with different labels"
    )
    assert lines[1] == (
        "  train '0\\\\n.jpg' (0:cat; f, record 0) = test '1\\\\n.jpg' (0:cat; f,"
        " record 1)"
    )
    assert "1:two\\nlines" in lines[2]
    assert len(lines) == 4


def test_no_copies():
    assert report.copies_text(TRAIN, copies([("train", 0)])) == (
        "No image occurs twice."
    )


@pytest.mark.parametrize(
    ("label", "title"), [(0, "0:cat"), (1, "1:two\\nlines"), (2, "2"), (None, "None")]
)
def test_class_titles(label, title):
    assert report.class_title(TRAIN, label) == title


def test_unfit_records_are_counted():
    survey = copies()
    survey.unfit = [(Record("train", "f", 3, 0, ""), "it is bad")] * 2
    assert report.unfit_text(TRAIN, survey) == (
        "2 records cannot be used for training; the first is train (0:cat; f, record"
        " 3): it is bad"
    )
