"""The output of an evaluation: its files, and lines on the terminal."""

import sys

import numpy as np

from common import terminal
from datasets.dataset import Dataset
from engine.evaluation.evaluation import Results
from engine.report.reports import Reporter
from errors import NotFiniteError


def give(
    results: Results,
    dataset: Dataset,
    reporter: Reporter,
    *,
    source: str,
    checkpoint_path: str,
    step: int,
    uses_moving_average: bool,
    tta: str | None = None,
) -> None:
    """Writes the reports and prints the figures.

    Args:
      results: the results of the evaluation.
      dataset: the split.
      reporter: writes the reports.
      source: what was evaluated, for the last line.
      checkpoint_path: see `Reporter.write`.
      step: see `Reporter.write`.
      uses_moving_average: see `Reporter.write`.
      tta: see `Reporter.write`.

    Raises:
      NotFiniteError: a loss is not finite.
      UserError: a file cannot be written.
    """
    num_faults = np.count_nonzero(~np.isfinite(results.losses))
    if num_faults:
        raise NotFiniteError(
            f"{checkpoint_path}: the loss of {num_faults} of {len(results.losses)}"
            " images is not finite, so some of its weights are not either; evaluate an"
            " earlier checkpoint"
        )
    reporter.write(
        results,
        checkpoint_path=checkpoint_path,
        step=step,
        uses_moving_average=uses_moving_average,
        tta=tta,
    )
    num_bad = dataset.num_bad_records
    bad = f" (bad records skipped: {num_bad})" if num_bad else ""
    evaluated = (
        f"{len(results.labels)} images of {dataset.name}/{dataset.split_name}{bad},"
        f" {source}"
    )
    print(
        f"eval/Accuracy[{results.accuracy:.4f}]",
        f"eval/Recall_5[{results.recall_5:.4f}]",
        f"eval/Loss[{results.loss:.4f}]",
        terminal.wrapped(evaluated, sys.stdout),
        *reporter.pages,
        sep="\n",
        flush=True,
    )
