import csv

from convert.tfrecords import rejections
from convert.tfrecords.rejections import Kind, Rejection

ENTRIES = [
    Rejection("b\n,ü.jpg", Kind.EMPTY, 'a "reason"'),
    Rejection("bad\udcff.jpg", Kind.DAMAGED, "x"),
    Rejection("a.txt", Kind.NOT_A_PHOTO, "x"),
]


def test_rejected_csv_holds_names_and_reasons(tmp_path):
    rejections.write_csv(str(tmp_path), ENTRIES)
    with open(tmp_path / "rejected.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["path", "kind", "reason", "is_fault"],
        ["b\n,ü.jpg", "empty file", 'a "reason"', "1"],
        ["bad\\udcff.jpg", "damaged or of an unknown format", "x", "1"],
        ["a.txt", "not a photo", "x", "0"],
    ]


def test_faults_come_first():
    ordered = rejections.in_order(reversed(ENTRIES))
    assert [entry.name[0] for entry in ordered] == ["b", "b", "a"]
    assert ordered[0].kind == Kind.EMPTY


def test_kinds_are_counted_in_their_own_order():
    counts = rejections.count_by_kind([*ENTRIES, ENTRIES[0]])
    assert list(counts.items()) == [
        (Kind.EMPTY, 2),
        (Kind.DAMAGED, 1),
        (Kind.NOT_A_PHOTO, 1),
    ]
