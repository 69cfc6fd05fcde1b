"""Whether two runs differ by more than chance on the same images."""

import csv
import dataclasses
import json
import os

from scipy import stats

from common import storage
from engine.comparison.run_facts import RunFacts

_SIGNIFICANT = 0.05


@dataclasses.dataclass(frozen=True)
class Predictions:
    """Whether each image of a split was classified correctly.

    Attributes:
      split: data set and split, such as "photos/validation".
      right: whether an image, identified by its file, its position and its label, was
        classified correctly.
    """

    split: str
    right: dict[tuple[str, str, str], bool]


@dataclasses.dataclass(frozen=True)
class Difference:
    """Images that only one of two runs classified correctly.

    Attributes:
      only_first: number of images that only the first classified correctly.
      only_second: number of images that only the second classified correctly.
      p_value: probability of a pair at least as uneven if both were equally good
        (exact test: Q. McNemar, Psychometrika 12, 1947).
    """

    only_first: int
    only_second: int
    p_value: float

    @property
    def is_within_chance(self) -> bool:
        """Whether the difference is not significant."""
        return self.p_value >= _SIGNIFICANT


def differ(first: Predictions, second: Predictions) -> Difference | None:
    """Runs the test; None if the images are not the same."""
    if first.split != second.split or first.right.keys() != second.right.keys():
        return None
    pairs = [(right, second.right[image]) for image, right in first.right.items()]
    only_first = pairs.count((True, False))
    only_second = pairs.count((False, True))
    total = only_first + only_second
    p_value = stats.binomtest(only_first, total).pvalue if total else 1.0
    return Difference(only_first, only_second, float(p_value))


def predictions_of(run: RunFacts) -> list[Predictions]:
    """The evaluations in a run's folder, those of its best checkpoint first.

    Evaluations that skipped images are left out: they are not comparable.
    """
    found = []
    for within in (os.path.join("best", "eval*"), "eval*"):
        names = storage.matches(os.path.join(within, "predictions.csv"), run.folder)
        found += [_read(os.path.join(run.folder, name)) for name in sorted(names)]
    return [predictions for predictions in found if predictions]


def _read(path: str) -> Predictions | None:
    """Reads an evaluation; None if it is incomplete."""
    try:
        metrics = os.path.join(os.path.dirname(path), "metrics.json")
        with storage.open_text(metrics) as file:
            summary = json.load(file)
        with storage.open_text(path, newline="") as file:
            right = {
                (row["shard"], row["record"], row["label"]): row["correct"] == "1"
                for row in csv.DictReader(file)
            }
        return Predictions(f"{summary['dataset']}/{summary['split']}", right)
    except (OSError, ValueError, LookupError):
        return None
