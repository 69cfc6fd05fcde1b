"""The stages of a recipe side by side, judged on the same images."""

import os
import sys
from collections.abc import Collection

from common import atomic_files, tables, terminal
from common.untrusted_text import CsvWriter
from engine.evaluation import calibration
from engine.run.validation import Score
from fine_tuning import evaluations
from fine_tuning.runs import Runs

FILE = "stages.csv"
_HEADERS = ("stage", "accuracy", "low", "high", "loss", "images", "split")


def show(runs: Runs, scored: Collection[str]) -> None:
    """Evaluates the stages where that is not done, prints the table and writes it.

    Args:
      runs: the runs of a recipe, finished.
      scored: folders of the stages that have a checkpoint worth evaluating.

    Raises:
      UserError: an output is not finite, or a file cannot be written.
    """
    scores = {}
    for number, stage in enumerate(runs.recipe or (), 1):
        folder = runs.folder(number, stage)
        path = os.path.join(runs.output_dir, folder)
        if folder in scored:
            scores[folder] = evaluations.of_stage(
                runs.lines.data, runs.lines.test_split_name, path
            )
        elif not stage.gives_checkpoint and (score := evaluations.read(path)):
            scores[folder] = score
    rows = [(folder, *_figures(score)) for folder, score in scores.items()]
    path = os.path.join(runs.output_dir, FILE)
    with atomic_files.atomic_write(path, "w") as file:
        writer = CsvWriter(file)
        writer.write_row(_HEADERS)
        writer.write_rows(rows)
    title = f"\nThe stages on split {runs.lines.test_split_name} ({path}):"
    cells = [
        [folder, f"{accuracy:.4f}", f"{low:.3f} to {high:.3f}", f"{loss:.4f}"]
        for folder, accuracy, low, high, loss, *_ in rows
    ]
    headers = ("stage", "accuracy", "95 % interval", "loss")
    print(terminal.wrapped(title, sys.stdout))
    print(tables.printed(headers, cells), flush=True)


def _figures(score: Score) -> tuple[float, float, float, float, int, str]:
    count = score.num_images or 0
    low, high = calibration.wilson_interval(round(score.accuracy * count), count)
    return score.accuracy, low, high, score.loss, count, score.split_name or ""
