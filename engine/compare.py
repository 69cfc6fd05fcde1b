"""A comparison of runs from start to end: facts, table, test, files."""

import sys
from collections.abc import Sequence

from absl import logging

from common import terminal
from common.atomic_files import explained_errors
from common.untrusted_text import first_few
from config import app
from config.compare_config import CompareOptions
from engine.comparison import comparison_report, mcnemar, run_facts
from engine.comparison.run_facts import RunFacts
from errors import UserError


@explained_errors()
def compare(options: CompareOptions, folders: Sequence[str]) -> int:
    """Prints how runs compare, and writes it where the options say.

    Args:
      options: the options.
      folders: the folders of runs, or of the stages of a recipe; others are reported
        and skipped.

    Returns:
      The exit status, 0.

    Raises:
      UserError: no folder holds a run, or a run's files are damaged.
    """
    if not folders:
        raise UserError("no runs: give folders of runs, as in runs/*")
    runs, others = run_facts.find(folders)
    if not runs:
        raise UserError(
            f"no run in {first_few(others)}: give folders of training runs"
            " (--train_dir), which hold model.json and run.json"
        )
    if others:
        logging.warning("skipped, as they are not runs: %s", first_few(others))
    remarks = remarks_on(runs)
    print(comparison_report.table(runs, options.epochs))
    lines = [terminal.wrapped(remark, sys.stdout) for remark in remarks]
    print("", *lines, sep="\n", flush=True)
    if options.output_dir:
        comparison_report.write(
            options.output_dir, runs, options.epochs, remarks, app.command_line()
        )
    return 0


def remarks_on(runs: Sequence[RunFacts]) -> list[str]:
    """What the table does not say: whether figures compare, and McNemar's test."""
    validated = [run for run in runs if run.best]
    if not validated:
        return ["No run was validated: train with --eval_split_name to compare."]
    ranked = sorted(validated, key=lambda run: -(run.best.accuracy if run.best else 0))
    same = [run for run in ranked if _data(run) == _data(ranked[0])]
    remarks = []
    if len(same) < len(ranked):
        remarks.append(
            f"{len(ranked) - len(same)} of {len(ranked)} runs were validated on other"
            f" images than {ranked[0].folder}: their accuracies cannot be compared."
        )
    if len(same) > 1:
        remarks.append(_test(same[0], same[1]))
    return remarks


def _data(run: RunFacts) -> tuple[str | None, str | None]:
    best = run.best
    return (best.split_name, best.data_fingerprint) if best else (None, None)


def _test(first: RunFacts, second: RunFacts) -> str:
    """McNemar's test between the two best, as a sentence."""
    title = f"The two best, {first.folder} and {second.folder}"
    for one in mcnemar.predictions_of(first):
        for other in mcnemar.predictions_of(second):
            if found := mcnemar.differ(one, other):
                verdict = (
                    "the difference is within chance"
                    if found.is_within_chance
                    else "the difference is more than chance"
                )
                return (
                    f"{title}, on the {len(one.right)} images of {one.split}:"
                    f" {found.only_first} right only in the first,"
                    f" {found.only_second} only in the second; McNemar's test:"
                    f" p = {found.p_value:.3f}, {verdict}."
                )
    return (
        f"{title}, were not both evaluated on the same split: evaluate each with"
        f" --checkpoint_path={first.folder}/best and {second.folder}/best for McNemar's"
        " test."
    )
