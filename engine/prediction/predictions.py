"""Predictions as a table, as CSV or as JSON lines."""

import dataclasses
import io
import json
import textwrap
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from common import tables
from common.untrusted_text import CsvWriter, json_text

DEFAULT_TOP_K = 5
_MAX_ERROR = 40  # characters in a table
MakeTable = Callable[[Sequence[str], Sequence[Sequence[str]]], str]


@dataclasses.dataclass(frozen=True)
class Guess:
    """A class that a photo may belong to.

    Attributes:
      label: number of the class in the data set.
      name: name of the class.
      probability: in [0, 1].
    """

    label: int
    name: str
    probability: float


@dataclasses.dataclass(frozen=True)
class Prediction:
    """A photo with its most likely classes, or the reason why it cannot be read.

    Attributes:
      photo: its path.
      guesses: the most likely classes first; empty if it cannot be read.
      error: why it cannot be read; "" if it can.
    """

    photo: str
    guesses: tuple[Guess, ...]
    error: str = ""


def likeliest(
    photo: str,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    *,
    top_k: int,
    labels_offset: int,
) -> Prediction:
    """The prediction of the most likely classes.

    Args:
      photo: its path.
      probabilities: `[classes]` float.
      class_names: names of all classes.
      top_k: number of classes to name; all if there are fewer.
      labels_offset: label of the first class.
    """
    order = np.argsort(-probabilities, kind="stable")[:top_k]
    guesses = [
        Guess(int(i) + labels_offset, class_names[i], float(probabilities[i]))
        for i in order
    ]
    return Prediction(photo, tuple(guesses))


def as_overview(
    predictions: Sequence[Prediction], make_table: MakeTable = tables.text_table
) -> str:
    """A line for each photo with its class and the runner-up, and counts by class.

    Args:
      predictions: the predictions of every photo, with at least two guesses if there
        are two classes.
      make_table: `tables.text_table`, or `tables.printed` to fit the terminal.
    """
    rows = []
    for p in predictions:
        if p.error:
            rows.append([p.photo, f"error: {_short(p.error)}", "", ""])
            continue
        best, *others = p.guesses
        second = f"{others[0].name} {others[0].probability:.4f}" if others else ""
        rows.append([p.photo, best.name, f"{best.probability:.4f}", second])
    counts = Counter(p.guesses[0].name for p in predictions if p.guesses)
    totals = [[name, f"{count:,}"] for name, count in counts.most_common()]
    num_broken = sum(bool(p.error) for p in predictions)
    if num_broken:
        totals.append(["(cannot be read)", f"{num_broken:,}"])
    photos = make_table(["photo", "class", "probability", "runner-up"], rows)
    return f"{photos}\n\n{make_table(['class', 'photos'], totals)}\n"


def as_table(
    predictions: Sequence[Prediction], make_table: MakeTable = tables.text_table
) -> str:
    """A line for each class, the first with the photo's name; errors are shortened."""
    rows = []
    for p in predictions:
        cells = [[f"{guess.probability:.4f}", guess.name] for guess in p.guesses]
        for rank, row in enumerate(cells or [["", f"error: {_short(p.error)}"]]):
            rows.append([p.photo if rank == 0 else "", *row])
    return make_table(["photo", "probability", "class"], rows) + "\n"


def _short(error: str) -> str:
    return textwrap.shorten(error, _MAX_ERROR, placeholder=" …")


def as_csv(predictions: Sequence[Prediction]) -> str:
    """A header, then a line for each photo and class, or for a photo's error."""
    text = io.StringIO()
    writer = CsvWriter(text)
    writer.write_row(["photo", "rank", "label", "class", "probability", "error"])
    for p in predictions:
        for rank, guess in enumerate(p.guesses, 1):
            numbers = p.photo, rank, guess.label
            writer.write_row([*numbers, guess.name, f"{guess.probability:.6f}", ""])
        if p.error:
            writer.write_row([p.photo, "", "", "", "", p.error])
    return text.getvalue()


def as_json_lines(predictions: Sequence[Prediction]) -> str:
    """A JSON object for each photo; only those that cannot be read have an "error"."""
    objects: list[dict[str, object]] = [
        {
            "photo": p.photo,
            "classes": [
                {"class": g.name, "label": g.label, "probability": g.probability}
                for g in p.guesses
            ],
            **({"error": p.error} if p.error else {}),
        }
        for p in predictions
    ]
    lines = (json.dumps(one, ensure_ascii=False) + "\n" for one in objects)
    return json_text("".join(lines))


FORMATS: dict[str, Callable[[Sequence[Prediction]], str]] = {
    "csv": as_csv,
    "jsonl": as_json_lines,
}
