"""McNemar's test, by hand."""

import json

import pytest

from common import storage
from engine.comparison import mcnemar
from engine.comparison.mcnemar import Predictions
from tests.engine.comparison.facts import facts


def predictions(marks, split="data/val"):
    """Of images in order: 1 for one that was told right."""
    return Predictions(
        split, {("s", str(i), "a"): m == "1" for i, m in enumerate(marks)}
    )


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("1111111", "1000001", (5, 0, 2 / 2**5)),
        ("11111111", "10000001", (6, 0, 2 / 2**6)),
        ("110", "101", (1, 1, 1.0)),
        ("10", "10", (0, 0, 1.0)),
    ],
)
def test_the_chance_of_so_uneven_a_pair(first, second, expected):
    found = mcnemar.differ(predictions(first), predictions(second))
    assert found is not None
    assert (found.only_first, found.only_second) == expected[:2]
    assert found.p_value == pytest.approx(expected[2])
    assert found.is_within_chance == (expected[2] >= 0.05)


def test_other_images_are_not_compared():
    assert mcnemar.differ(predictions("11"), predictions("111")) is None
    assert mcnemar.differ(predictions("11"), predictions("11", "data/test")) is None


def test_the_best_checkpoints_predictions_come_first(tmp_path):
    rows = "shard,record,label,predicted,probability,correct,filename\n"
    for folder, correct in [("eval", 0), ("best/eval", 1)]:
        (tmp_path / folder).mkdir(parents=True)
        text = f"{rows}s,0,cat,cat,0.9,{correct},\n"
        (tmp_path / folder / "predictions.csv").write_text(text)
        metrics = {"dataset": "pets", "split": "val"}
        (tmp_path / folder / "metrics.json").write_text(json.dumps(metrics))
    (tmp_path / "eval_broken").mkdir()
    (tmp_path / "eval_broken" / "predictions.csv").write_text(rows)
    found = mcnemar.predictions_of(facts(str(tmp_path)))
    image = ("s", "0", "cat")
    assert found == [Predictions("pets/val", {image: right}) for right in (True, False)]
    storage.upload_folder(str(tmp_path), "ram://predicted/run")
    assert mcnemar.predictions_of(facts("ram://predicted/run")) == found
