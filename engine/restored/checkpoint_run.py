"""The training run that wrote a checkpoint: its `run.json`, its best checkpoint."""

import contextlib
import dataclasses
import os

from absl import logging

from checkpoints import run_info
from checkpoints.checkpoint_folder import CheckpointFolder
from checkpoints.run_info import RunInfo
from checkpoints.slim_format import Checkpoint
from common import storage
from config.training.augmentation_options import AugmentationOptions
from engine.batch_norm.split_statistics import SeenImages
from engine.run import validation
from engine.run.validation import BEST_FOLDER
from errors import UserError


def read(folder: str) -> RunInfo | None:
    """Reads `run.json` for a folder of a run's checkpoints, or of its best one.

    Returns:
      Its contents; None if the checkpoints are not from a run of these scripts.

    Raises:
      UserError: the file is damaged.
    """
    folder = storage.absolute(folder)
    if os.path.basename(folder) == BEST_FOLDER:
        folder = os.path.dirname(folder)
    return run_info.read(folder)


def seen_images(folder: str) -> SeenImages:
    """How the run of a folder saw its images; as slim does where nothing tells.

    Raises:
      UserError: `run.json` is damaged.
    """
    run = read(folder)
    flags = run.flags if run else {}
    is_cached = flags.get("feature_cache", "off") != "off"
    views = flags.get("feature_cache_views") or (1 if is_cached else None)
    names = [field.name for field in dataclasses.fields(AugmentationOptions)]
    return SeenImages(
        split_name=flags.get("dataset_split_name", "train"),
        num_examples=flags.get("num_examples", 0),
        mixed_in=flags.get("mixed_in_split_name"),
        is_balanced=flags.get("sampling") == "balanced",
        is_augmented=views != 1,
        augmentation=AugmentationOptions(**{n: flags[n] for n in names if n in flags}),
    )


def tell_of_best(path: str, checkpoint: Checkpoint) -> None:
    """Warns if a run has a checkpoint that did better in validation than its newest.

    Args:
      path: what the user named; there is nothing to warn of unless it is a folder.
      checkpoint: the newest one of that folder.
    """
    folder = os.path.expanduser(path)
    best_folder = os.path.join(folder, BEST_FOLDER)
    if not CheckpointFolder(best_folder, keep=1).has_checkpoint():
        return
    scores = []
    with contextlib.suppress(UserError):  # a damaged history: nothing to compare
        scores = validation.read_scores(folder)
    if not scores:
        return
    best = validation.best_of(scores)
    step = checkpoint.global_step
    here = [score.accuracy for score in scores if score.step == step]
    if best.accuracy in here:
        return
    logging.warning(
        "%s has a better checkpoint, of step %d: accuracy %.4f on %s, %s at step %s;"
        " --checkpoint_path=%s uses it",
        *(path, best.step, best.accuracy, best.split_name or "its validation split"),
        f"against {here[0]:.4f}" if here else "not evaluated",
        *(step, best_folder),
    )
