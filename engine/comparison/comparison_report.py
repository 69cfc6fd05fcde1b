"""A comparison as a table, as CSV and as a self-contained page."""

import os
import pathlib
from collections.abc import Sequence

from matplotlib.figure import Figure

from common import storage, tables
from common.atomic_files import atomic_write
from common.untrusted_text import CsvWriter
from engine.comparison.run_facts import RunFacts
from engine.report import html_page, thumbnails

_TEMPLATE = pathlib.Path(__file__).with_name("comparison.html.jinja")
_START, _TRAINED = 2, 3  # columns
_OPTIONAL = ("s", "trained", "start", "s/epoch", "net")  # omitted in this order
_COLORS = ("#1f6feb", "#d9480f", "#2b8a3e", "#862e9c", "#0b7285", "#e67700")


def headers(epochs: Sequence[float]) -> list[str]:
    """The columns of the table."""
    at = [f"epoch {epoch:g}" for epoch in epochs]
    return ["run", "net", "start", "trained", *at, "best", "95%", "s/epoch", "s"]


def rows(runs: Sequence[RunFacts], epochs: Sequence[float]) -> list[list[str]]:
    """A row per run; unknown values are blank."""
    return [_row(run, epochs) for run in runs]


def _row(run: RunFacts, epochs: Sequence[float]) -> list[str]:
    best, interval = run.best, run.interval
    per_epoch = run.secs / run.num_epochs if run.secs and run.num_epochs else None
    return [
        run.folder,
        run.model_name,
        run.start or "random",
        "" if run.num_trained is None else f"{run.num_trained:,}",
        *(_share(run.accuracy_at(epoch)) for epoch in epochs),
        _share(best.accuracy if best else None),
        f"{_share(interval[0])}–{_share(interval[1])}" if interval else "",
        "" if per_epoch is None else f"{per_epoch:.1f}",
        "" if run.secs is None else f"{run.secs:.0f}",
    ]


def _plain(row: list[str]) -> list[str]:
    """A row whose count of parameters is a number for programs."""
    return [
        cell.replace(",", "") if i == _TRAINED else cell for i, cell in enumerate(row)
    ]


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.4f}"


def table(runs: Sequence[RunFacts], epochs: Sequence[float]) -> str:
    """The table for the terminal, with shortened starts and the columns that fit."""
    cells = rows(runs, epochs)
    for row in cells:
        row[_START] = "/".join(row[_START].split("/")[-2:])
    return tables.printed(headers(epochs), cells, optional=_OPTIONAL)


def write(
    folder: str,
    runs: Sequence[RunFacts],
    epochs: Sequence[float],
    remarks: Sequence[str],
    command: str,
) -> None:
    """Writes comparison.csv and comparison.html.

    Args:
      folder: created if necessary.
      runs: the runs to compare.
      epochs: the epochs at which accuracies are shown.
      remarks: sentences below the table.
      command: the command line.
    """
    storage.make_folders(folder)
    cells = rows(runs, epochs)
    with atomic_write(os.path.join(folder, "comparison.csv"), "w") as file:
        writer = CsvWriter(file)
        writer.write_row(headers(epochs))
        writer.write_rows([_plain(row) for row in cells])
    page = html_page.render(
        _TEMPLATE,
        header=headers(epochs),
        rows=cells,
        curves=thumbnails.data_uri(draw(runs), "image/svg+xml"),
        remarks=remarks,
        command=command,
    )
    with atomic_write(os.path.join(folder, "comparison.html")) as file:
        file.write(page.encode("utf-8", "backslashreplace"))


def draw(runs: Sequence[RunFacts]) -> bytes:
    """Draws the validation accuracy of all runs over epochs, as an SVG.

    The stages of a recipe are joined into one curve, separated by dotted lines.
    """
    figure = Figure((8.4, 4.6), layout="constrained")
    axes = figure.add_subplot()
    lines = list(dict.fromkeys(run.recipe or run.folder for run in runs))
    for number, name in enumerate(lines):
        color = _COLORS[number % len(_COLORS)]
        stages = [run for run in runs if name == (run.recipe or run.folder)]
        points, boundaries = _joined(stages)
        if points:
            x, y = zip(*points, strict=True)
            axes.plot(x, y, "o-", color=color, markersize=4, label=name)
        for boundary in boundaries:
            axes.axvline(boundary, color=color, linestyle=":", linewidth=1)
    axes.set(xlabel="epoch", ylabel="accuracy in validation")
    if axes.lines:
        axes.legend(frameon=False, loc="lower right")
    return html_page.svg(figure)


def _joined(
    stages: Sequence[RunFacts],
) -> tuple[list[tuple[float, float]], list[float]]:
    """Points (epoch, accuracy) of consecutive stages, and the epochs between them."""
    points, boundaries, start = [], [], 0.0
    for stage in stages:
        if not stage.steps_per_epoch:
            continue
        points += [
            (start + score.step / stage.steps_per_epoch, score.accuracy)
            for score in stage.scores
        ]
        start += stage.num_epochs or 0.0
        boundaries.append(start)
    return points, boundaries[:-1]
