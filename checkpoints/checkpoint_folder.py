"""Which checkpoints a folder keeps, and which one a run resumes from."""

import contextlib
import glob
import os
import re
import shutil
from collections.abc import Mapping

import numpy as np
from absl import logging

from checkpoints import shared_folder, slim_format
from checkpoints.model_info import ModelInfo
from common import storage
from errors import UserError

PREFIX = "model.ckpt"
# A file of a run's checkpoint: V2's, or the single one of V1. What a user calls
# model.ckpt-best or model.ckpt-3-good does not match.
_OF_STEP = re.compile(
    rf"({re.escape(PREFIX)}-\d+)(\.(index|meta|data-\d{{5}}-of-\d{{5}}))?$"
)


class CheckpointFolder:
    """A folder of `model.ckpt-<step>` with the `checkpoint` file that names them.

    What that file names is the run's own; nothing else is ever removed.

    Attributes:
      path: the folder.
    """

    def __init__(self, path: str, *, keep: int) -> None:
        """Opens the folder, which need not exist yet.

        Args:
          path: the folder.
          keep: number of checkpoints to keep; older ones are removed.
        """
        self.path = path
        self._keep = keep

    def latest(self) -> str | None:
        """Prefix of the checkpoint to continue from; damaged ones are reported.

        It is the newest intact one that the `checkpoint` file names or, if that is
        lost, the newest intact `model.ckpt-<step>`.

        Returns:
          Its prefix; None if the folder has no checkpoint of a run.

        Raises:
          UserError: there are checkpoints but none is intact, or it would have to be
            guessed which one is meant.
        """
        named = slim_format.named_checkpoints(self.path)
        there = [os.path.join(self.path, name) for name in self._there()]
        if not named and not there:
            return None
        self._require_inside(named)
        listed = [path for path in named if slim_format.is_complete(path)]
        others = [path for path in there if path not in named]
        if listed:
            self._require_newest(listed, others)
        else:
            logging.warning(
                "the file `%s` in %s %s: using the newest checkpoint there",
                *(slim_format.STATE_FILE, self.path),
                "names none that exists" if named else "is lost",
            )
        sound = next(filter(_is_sound, [*named, *others]), None)
        if not sound:
            raise UserError(
                f"no checkpoint in {self.path} is complete and intact"
                f" ({', '.join(map(os.path.basename, [*named, *others]))}): restore one"
                " from a copy, or use another --train_dir"
            )
        return sound

    def _require_inside(self, named: list[str]) -> None:
        folder = storage.absolute(self.path)
        for path in named:
            if os.path.dirname(storage.absolute(path)) != folder:
                raise UserError(
                    f"the file `{slim_format.STATE_FILE}` in {self.path} names {path},"
                    " which is another folder's: to start from it, give it as"
                    " --checkpoint_path, with another --train_dir"
                )

    def _require_newest(self, listed: list[str], others: list[str]) -> None:
        """Refuses a newer checkpoint that the run did not write: it would be lost."""
        newest = max(listed, key=_step)
        newer = [p for p in others if _step(p) > _step(newest)]
        whole = next(filter(slim_format.is_complete, newer), None)
        if whole:
            raise UserError(
                f"{whole} is newer than {os.path.basename(newest)}, the last that the"
                f" run's file `{slim_format.STATE_FILE}` names: move it away to"
                f" continue from {os.path.basename(listed[0])}, or remove that file to"
                " continue from the newest"
            )

    def create(self, info: ModelInfo) -> None:
        """Creates the folder, so that errors of writing show at the start.

        Args:
          info: the contents of model.json, which is written next to the checkpoints.

        Raises:
          UserError: it cannot be created or written to.
        """
        try:
            shared_folder.make(self.path)
            info.write(self.path)
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
        own = [n for n in self._own() if n != name]
        if own:
            # Named before it exists: a run killed in between recognizes it as its own.
            slim_format.write_state(self.path, [*own, name], newest=own[-1])
        try:
            slim_format.write_checkpoint(prefix, tensors)
        except UserError:
            if own:
                with contextlib.suppress(
                    OSError
                ):  # the disk may be too full for this, too
                    slim_format.write_state(self.path, own)
            raise
        own.append(name)
        slim_format.write_state(self.path, own[-self._keep :])
        for old in own[: -self._keep]:
            slim_format.remove_checkpoint(os.path.join(self.path, old))
        return prefix

    def has_checkpoint(self) -> bool:
        """Whether there is a complete checkpoint of a run."""
        paths = [os.path.join(self.path, name) for name in self._there()]
        return any(map(slim_format.is_complete, paths))

    def holds(self, step: int) -> bool:
        """Whether there is a complete checkpoint of a step."""
        return slim_format.is_complete(os.path.join(self.path, f"{PREFIX}-{step}"))

    def _there(self) -> list[str]:
        """Names `model.ckpt-<step>` for which there is any file, newest first."""
        if not storage.is_folder(self.path):
            return []
        names = {m[1] for m in map(_OF_STEP.match, storage.names_in(self.path)) if m}
        return sorted(names, key=_step, reverse=True)

    def _own(self) -> list[str]:
        """Names of the checkpoints that the run wrote, oldest first."""
        named = map(os.path.basename, slim_format.named_checkpoints(self.path))
        there = set(self._there())
        return sorted((name for name in named if name in there), key=_step)

    def _remove_leftovers(self) -> None:
        """Removes what a killed run was writing, which object storage never shows."""
        if storage.is_object(self.path):
            return
        folder = glob.escape(self.path)
        for leftover in glob.glob(os.path.join(folder, f".{PREFIX}-*.tmp-*")):
            shutil.rmtree(leftover, ignore_errors=True)


def _step(path: str) -> int:
    return slim_format.step_of(path) or 0


def _is_sound(prefix: str) -> bool:
    try:
        slim_format.Checkpoint(prefix).verify()
    except UserError as error:
        logging.error("skipped: %s", error)
        return False
    return True
