"""report.html: an evaluation on one self-contained page."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from common import tables
from datasets.dataset import Dataset
from engine.evaluation import calibration, label_errors
from engine.evaluation.evaluation import Results
from engine.evaluation.label_errors import Suspect
from engine.events import run_events
from engine.report import html_page, report_figures, thumbnails
from engine.report.cards import Cards

_TEMPLATE = pathlib.Path(__file__).with_name("report.html.jinja")
_MAX_SHOWN = 12  # pictures in a gallery


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """The evaluation that the page shows.

    Attributes:
      summary: the contents of metrics.json.
      results: the results of all images.
      dataset: the split.
      class_names: names of the net's classes.
      photos: the photo's name for each image; "" if unknown.
      class_rows: the table by class, its header first.
      confusion_matrix: the picture, a PNG.
      command: the command line of the evaluation.
    """

    summary: Mapping[str, Any]
    results: Results
    dataset: Dataset
    class_names: Sequence[str]
    photos: Sequence[str]
    class_rows: Sequence[Sequence[Any]]
    confusion_matrix: bytes
    command: str


def render(evaluated: Evaluated) -> str:
    """The page's HTML."""
    results = evaluated.results
    correct = results.predicted == results.labels
    bins = calibration.reliability(results.probabilities, correct)
    events = run_events.read(evaluated.summary["checkpoint"])
    suspects = label_errors.find(results)
    mistakes = _most_confident_mistakes(results)
    cards = Cards(
        *(results, evaluated.dataset, evaluated.class_names, evaluated.photos),
        [*mistakes, *(suspect.index for suspect in suspects[:_MAX_SHOWN])],
    )
    header, *class_rows = evaluated.class_rows
    return html_page.render(
        _TEMPLATE,
        summary=evaluated.summary,
        more_than_5_classes=len(evaluated.class_names) > 5,
        interval=calibration.wilson_interval(int(correct.sum()), len(correct)),
        calibration_error=calibration.expected_calibration_error(bins),
        reliability=_svg(report_figures.draw_reliability(bins)),
        charts={
            title: _svg(report_figures.draw_curves(title, curves))
            for title, curves in (
                {} if events.is_single_step else events.charts
            ).items()
        },
        is_single_step=events.is_single_step,
        plan=_plan_table(events.plan),
        confusion_matrix=thumbnails.data_uri(evaluated.confusion_matrix, "image/png"),
        class_header=header,
        class_rows=class_rows,
        num_mistakes=int((~correct).sum()),
        mistakes=[cards.card(index) for index in mistakes],
        num_suspects=len(suspects),
        suspects=[_suspect(cards, one) for one in suspects[:_MAX_SHOWN]],
        command=evaluated.command,
    )


def _svg(drawing: bytes) -> str:
    return thumbnails.data_uri(drawing, "image/svg+xml")


def _most_confident_mistakes(results: Results) -> list[int]:
    wrong = np.flatnonzero(results.predicted != results.labels)
    order = np.argsort(-results.probabilities[wrong], kind="stable")
    return [int(index) for index in wrong[order][:_MAX_SHOWN]]


def _suspect(cards: Cards, suspect: Suspect) -> dict[str, Any]:
    """A card with the mean probability of the predicted class."""
    return cards.card(suspect.index) | {"threshold": suspect.threshold}


def _plan_table(plan: str | None) -> tuple[str, list[list[str]]] | None:
    """Title and rows of the plan: the header, trained scopes, then frozen ones."""
    if plan is None:
        return None
    title, _, table = plan.partition("\n\n")
    rows = table.splitlines()
    header, _, *scopes, total = [tables.markdown_cells(row) for row in rows]
    training = header.index("training")
    scopes.sort(key=lambda cells: "trained" not in cells[training])
    return title, [header, *scopes, total]
