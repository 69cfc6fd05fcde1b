"""Evaluations of stages as commands, and their results."""

import json
import os

from checkpoints import slim_format
from checkpoints.slim_format import Checkpoint
from config.eval_config import EvalConfig
from engine import evaluate
from engine.restored import eval_weights
from engine.run.validation import BEST_FOLDER, Score
from fine_tuning.commands import Command
from fine_tuning.photo_data import PhotoData


def run(
    data: PhotoData, split: str, checkpoint_path: str, eval_dir: str, *more: str
) -> None:
    """Prints the command of an evaluation and runs it.

    Of a checkpoint with moving averages they are evaluated, as validation did.

    Args:
      data: the converted data set.
      split: what to evaluate.
      checkpoint_path: a folder.
      eval_dir: where its files go.
      *more: arguments.

    Raises:
      UserError: an output is not finite, or a file cannot be written.
    """
    checkpoint = Checkpoint(slim_format.find_checkpoint(checkpoint_path))
    averages = eval_weights.has_averages(checkpoint)
    command = Command(
        "eval_image_classifier.py",
        (
            f"--dataset_name={data.dataset_name}",
            f"--dataset_dir={data.dataset_dir}",
            f"--dataset_split_name={split}",
            f"--checkpoint_path={checkpoint_path}",
            f"--eval_dir={eval_dir}",
            *(("--moving_average_decay=0.9999",) if averages else ()),  # any but 0
            *more,
        ),
    )
    print(command, flush=True)
    config, given = command.parse(EvalConfig)
    evaluate.evaluate(config, given=given)


def of_stage(data: PhotoData, split: str, stage_dir: str) -> Score:
    """The metrics of a stage's checkpoint on a split, evaluated if necessary.

    A stage that was continued with a larger budget may have a better checkpoint since.

    Args:
      data: the converted data set.
      split: what to evaluate.
      stage_dir: the stage's folder.

    Raises:
      UserError: it holds no checkpoint, or as `run`.
    """
    checkpoint_dir = os.path.join(stage_dir, BEST_FOLDER)
    eval_dir = _eval_dir(stage_dir, split)
    checkpoint = Checkpoint(slim_format.find_checkpoint(checkpoint_dir))
    found = read(eval_dir)
    if found and found.step == (checkpoint.global_step or 0):
        return found
    run(data, split, checkpoint_dir, eval_dir)
    found = read(eval_dir)
    assert found
    return found


def read_of_stage(stage_dir: str, split: str) -> Score | None:
    """The metrics that `of_stage` wrote; None if it has not run."""
    return read(_eval_dir(stage_dir, split))


def read(eval_dir: str) -> Score | None:
    """The metrics in an evaluation's folder; None if there are none."""
    try:
        with open(os.path.join(eval_dir, "metrics.json"), encoding="utf-8") as file:
            metrics = json.load(file)
    except FileNotFoundError:
        return None
    return Score(
        step=metrics["step"],
        accuracy=metrics["accuracy"],
        loss=metrics["loss"],
        split_name=metrics["split"],
        num_images=metrics["images"],
    )


def _eval_dir(stage_dir: str, split: str) -> str:
    return os.path.join(stage_dir, BEST_FOLDER, f"eval_{split}")
