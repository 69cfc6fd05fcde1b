"""The results of a fine-tuning: the best checkpoint, a report, exports, three lines."""

import dataclasses
import json
import os
import shlex
import sys
from collections.abc import Mapping

from absl import logging

from checkpoints import model_info, slim_format
from checkpoints.checkpoint_folder import CheckpointFolder
from checkpoints.slim_format import Checkpoint
from common import terminal
from config.options import split_list
from convert import export_model
from convert.exports.formats import FORMATS
from convert.exports.options import ExportConfig
from engine.evaluation import calibration
from engine.restored import checkpoint_run
from engine.run.validation import BEST_FOLDER, Score
from engine.step.moving_average import SUFFIX
from errors import UserError
from fine_tuning import evaluations, stage_table
from fine_tuning.commands import Command
from fine_tuning.photo_data import PhotoData
from fine_tuning.runs import Runs

_EVALUATION = "evaluation"


def hand_out(runs: Runs, export_formats: str | None) -> None:
    """Copies the best checkpoint, evaluates and exports it, and prints where it is.

    Args:
      runs: finished.
      export_formats: as --formats of the exporter; None exports nothing.

    Raises:
      UserError: an export cannot be written.
    """
    scores = runs.scores()
    if not scores:
        raise UserError(
            "no stage has a checkpoint yet: run the same command with a larger"
            " --budget_mins"
        )
    for folder, score in scores.items():
        logging.info(
            "%s: accuracy %.4f, loss %.4f on %s",
            *(folder, score.accuracy, score.loss, runs.lines.eval_split_name),
        )
    best = best_stage(scores)
    source = os.path.join(runs.output_dir, best, BEST_FOLDER)
    copy_judged(source, runs.output_dir)
    folder = os.path.join(runs.output_dir, _EVALUATION)
    evaluations.run(
        runs.lines.data, runs.lines.test_split_name, source, folder, "--report=true"
    )
    if export_formats:
        _export(runs, export_formats)
    if runs.recipe:
        stage_table.show(runs, scores)
    print(_closing_lines(runs.output_dir, folder, best), flush=True)


def best_stage(scores: Mapping[str, Score]) -> str:
    """The folder of the most accurate stage; in a tie, the earlier one.

    A stage that opens blocks is evaluated after each of its epochs, the solved head
    once: of two with the same best accuracy the later one owes more of it to chance.

    Args:
      scores: the best score of each stage, in the order in which they ran.
    """
    return max(scores, key=lambda folder: scores[folder].accuracy)


def export_command(data: PhotoData, output_dir: str, formats: str) -> Command:
    """The command that exports the best checkpoint.

    Args:
      data: what int8 is calibrated on.
      output_dir: the output folder of the fine-tuning.
      formats: as --formats takes them.
    """
    return Command(
        "convert/export_model.py",
        (
            f"--checkpoint_path={output_dir}",
            f"--formats={formats}",
            f"--dataset_name={data.dataset_name}",
            f"--dataset_dir={data.dataset_dir}",
            f"--output_dir={os.path.join(output_dir, 'export')}",
        ),
    )


def _export(runs: Runs, formats: str) -> None:
    """Exports to the formats that do not exist yet."""
    folder = os.path.join(runs.output_dir, "export")
    left = [
        name
        for name in split_list(formats)
        if not os.path.exists(os.path.join(folder, FORMATS[name].file))
    ]
    if left:
        command = export_command(runs.lines.data, runs.output_dir, ",".join(left))
        print(command, flush=True)
        config, _ = command.parse(ExportConfig)
        export_model.export_all(config)


def copy_judged(source: str, folder: str) -> None:
    """Copies a checkpoint, with its model.json and its run's run.json, into a folder.

    Moving averages take the place of the variables, since validation judged them:
    prediction and export then need no flag.
    """
    checkpoint = Checkpoint(slim_format.find_checkpoint(source))
    info = model_info.read(source)
    if info is None:
        raise UserError(f"{source} has lost its {model_info.FILE_NAME}: restore it")
    handed_out = CheckpointFolder(folder, keep=1)
    handed_out.create(info)
    if run := checkpoint_run.read(source):  # evaluation finds data and events by it
        origin = os.path.relpath(source, folder)
        dataclasses.replace(run, copied_from=origin).write(folder)
    arrays = {
        name: checkpoint.read(average if average in checkpoint.shapes else name)
        for name, average in ((n, f"{n}/{SUFFIX}") for n in checkpoint.shapes)
        if not name.endswith(f"/{SUFFIX}")
    }
    handed_out.save(checkpoint.global_step or 0, arrays)


def _closing_lines(output_dir: str, evaluation: str, best: str) -> str:
    with open(os.path.join(evaluation, "metrics.json"), encoding="utf-8") as file:
        metrics = json.load(file)
    count = metrics["images"]
    low, high = calibration.wilson_interval(round(metrics["accuracy"] * count), count)
    text = "\n".join(
        [
            f"\n{best}: accuracy {metrics['accuracy']:.3f}, 95% interval {low:.3f} to"
            f" {high:.3f}, on {count} images of {metrics['split']}",
            f"checkpoint in {output_dir}, report in"
            f" {os.path.join(evaluation, 'report.html')}",
            "python predict_images.py"
            f" --checkpoint_path={shlex.quote(output_dir)} PHOTO",
        ]
    )
    return terminal.wrapped(text, sys.stdout, indent=2)
