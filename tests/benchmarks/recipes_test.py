"""What the benchmark of recipes divides and averages."""

import pathlib

import pytest

from benchmarks import recipes


def test_gains_are_over_the_first_stage_of_the_same_split():
    of_splits = [{"1-head": 0.8, "2-top": 0.9}, {"1-head": 0.7, "2-top": 0.7}]
    head, top = recipes.rows_of("r", of_splits)
    assert head == ["r", "1-head", "0.7500", "+0.0000", "0.0000", "+0.0000", "+0.0000"]
    # Gains 0.1 and 0: deviation 0.0707, by the root of 2 splits 0.05.
    assert top == ["r", "2-top", "0.8000", "+0.0500", "0.0500", "+0.0000", "+0.1000"]
    assert recipes.rows_of("r", of_splits[:1])[1][4] == ""


@pytest.mark.parametrize(("count", "trained", "left"), [(0, 5, 0), (2, 2, 3)])
def test_photos_are_in_one_part_each(tmp_path, count, trained, left):
    for name in ("a", "b"):
        (tmp_path / "all" / name).mkdir(parents=True)
        for number in range(10):
            (tmp_path / "all" / name / f"{number}.png").write_text(f"{name}{number}")
    target = tmp_path / "out"
    target.mkdir()
    recipes.divide(tmp_path / "all", target, 0, count)

    def contents(folder: pathlib.Path) -> list[str]:
        return [path.read_text() for path in folder.rglob("*.png")]

    parts = [
        contents(target / "photos" / split) for split in ("test", "validation", "train")
    ]
    parts.append(contents(target / "unlabeled"))
    assert [len(part) for part in parts] == [6, 4, 2 * trained, 2 * left]
    everything = sorted(text for part in parts for text in part)
    assert everything == sorted(contents(tmp_path / "all"))
