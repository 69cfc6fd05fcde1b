"""Which checkpoints a folder keeps."""

import glob
import os
import shutil
from collections.abc import Mapping

import numpy as np
from absl import logging

from checkpoints import slim_format
from checkpoints.model_record import ModelRecord
from errors import UserError

PREFIX = "model.ckpt"


class CheckpointFolder:
    """A folder of `model.ckpt-<step>` with the `checkpoint` file that names them.

    Attributes:
      path: the folder.
    """

    def __init__(self, path: str, *, keep: int) -> None:
        """Opens the folder, which need not exist yet.

        Args:
          path: the folder.
          keep: how many checkpoints stay; older ones are removed.
        """
        self.path = path
        self._keep = keep

    def latest(self) -> str | None:
        """Prefix of the newest sound checkpoint; damaged ones are told of.

        Raises:
          UserError: there are checkpoints, and all are damaged.
        """
        named = slim_format.named_checkpoints(self.path)
        sound = next(filter(_is_sound, named), None)
        if named and not sound:
            raise UserError(
                f"all checkpoints in {self.path} are damaged: restore one from a copy,"
                f" or remove its file `{slim_format.STATE_FILE}` to start over"
            )
        return sound

    def create(self, record: ModelRecord) -> None:
        """Makes the folder, so that what cannot be written is known at the start.

        Args:
          record: what its checkpoints are for, written beside them.

        Raises:
          UserError: it cannot be made, or not written to.
        """
        try:
            os.makedirs(self.path, exist_ok=True)
            record.write(self.path)
        except OSError as error:
            raise UserError(
                f"{self.path} cannot be written to: {error.strerror}; name another"
                " folder"
            ) from error

    def save(self, step: int, tensors: Mapping[str, np.ndarray]) -> str:
        """Writes a checkpoint, names it in the `checkpoint` file, removes the oldest.

        Args:
          step: the global step, part of its name.
          tensors: all variables by name.

        Returns:
          Its prefix.
        """
        self._remove_leftovers()
        name = f"{PREFIX}-{step}"
        prefix = os.path.join(self.path, name)
        slim_format.write_checkpoint(prefix, tensors)
        kept = [n for n in self._names() if n != name] + [name]
        slim_format.write_state(self.path, kept[-self._keep :])
        for old in kept[: -self._keep]:
            slim_format.remove_checkpoint(os.path.join(self.path, old))
        return prefix

    def _names(self) -> list[str]:
        """This folder's checkpoints `model.ckpt-<step>`, oldest first."""
        names = slim_format.checkpoints_in(self.path)
        return [n for n in names if n.startswith(f"{PREFIX}-")]

    def _remove_leftovers(self) -> None:
        """Removes what a killed run was writing."""
        folder = glob.escape(self.path)
        for leftover in glob.glob(os.path.join(folder, f".{PREFIX}-*.tmp-*")):
            shutil.rmtree(leftover, ignore_errors=True)


def _is_sound(prefix: str) -> bool:
    try:
        slim_format.Checkpoint(prefix).verify()
    except UserError as error:
        logging.error("passed over: %s", error)
        return False
    return True
