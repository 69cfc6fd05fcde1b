"""A new folder with one checkpoint, `model.json` and labels.txt, whole or not there."""

import os
from collections.abc import Mapping

import numpy as np

from checkpoints.checkpoint_folder import CheckpointFolder
from checkpoints.model_info import ModelInfo
from common import atomic_files, storage
from datasets import labels
from errors import UserError


def require_new(output_dir: str) -> None:
    """Refuses an existing folder.

    Raises:
      UserError: it is.
    """
    if os.path.lexists(output_dir) or storage.exists(output_dir):
        raise UserError(f"{output_dir} exists already: give another --output_dir")


def write(
    output_dir: str, info: ModelInfo, step: int, tensors: Mapping[str, np.ndarray]
) -> str:
    """Writes the folder.

    Args:
      output_dir: where, which is not there yet.
      info: what the checkpoint is for.
      step: its global step, part of its name.
      tensors: all variables by name.

    Returns:
      The checkpoint's prefix.
    """
    parent = os.path.dirname(storage.absolute(output_dir))
    storage.make_folders(parent)
    with atomic_files.scratch_directory(parent, "new_checkpoint") as scratch:
        aside = os.path.join(scratch, "checkpoint")
        folder = CheckpointFolder(aside, keep=1)
        folder.create(info)
        written = folder.save(step, tensors)
        if info.class_names:
            labels.write(aside, info.class_names)
        atomic_files.move_new(aside, output_dir)
    return os.path.join(output_dir, os.path.basename(written))
