"""The checkpoints that are averaged: of one net, for one list of classes."""

import dataclasses
import itertools
import os
from collections.abc import Sequence

from absl import logging

from checkpoints import model_info, slim_format
from checkpoints.model_info import ModelInfo
from checkpoints.slim_format import Checkpoint
from common import storage
from config.predict_config import NetOptions
from engine.batch_norm.split_statistics import SeenImages
from engine.restored import checkpoint_info, checkpoint_run
from errors import UserError
from preprocessing.preprocessing_factory import same_recipe

_MUST_AGREE = (
    *("model_name", "final_endpoint", "head_hidden_units", "image_size"),
    *("preprocessing_name", "use_grayscale", "labels_offset", "num_classes"),
)
_REMEDY = (
    "only checkpoints of one net, for the same images and classes, can be averaged"
)


@dataclasses.dataclass(frozen=True)
class Member:
    """A checkpoint and what it is.

    Attributes:
      checkpoint: in slim's names.
      info: its net, images and classes.
    """

    checkpoint: Checkpoint
    info: ModelInfo

    @property
    def path(self) -> str:
        """The checkpoint's prefix or V1 file."""
        return self.checkpoint.path


def open_all(paths: Sequence[str], net: NetOptions) -> list[Member]:
    """Opens the checkpoints and checks that they can be averaged.

    Args:
      paths: files, prefixes or folders, of which the newest checkpoint is taken.
      net: what they are, where no `model.json` says it.

    Raises:
      UserError: there are fewer than two or one twice, one cannot be read, or two are
        of different nets, images or classes.
    """
    found = slim_format.find_checkpoints(paths, flag="checkpoint_paths")
    if len(found) < 2:
        raise UserError(
            f"--checkpoint_paths={','.join(paths)}: one checkpoint has no average; name"
            " two or more, with commas between"
        )
    members = []
    for path in found:
        checkpoint = Checkpoint(path)
        members.append(Member(checkpoint, checkpoint_info.info_of(checkpoint, net)))
    for one, other in itertools.combinations(members, 2):
        _require_alike(one, other)
    return members


def _require_alike(one: Member, other: Member) -> None:
    for field in _MUST_AGREE:
        here, there = getattr(one.info, field), getattr(other.info, field)
        is_recipe = field == "preprocessing_name"
        if here != there and not (is_recipe and same_recipe(here, there)):
            raise UserError(
                f"{field} is {model_info.flag_text(here)} in {one.path} and"
                f" {model_info.flag_text(there)} in {other.path}: {_REMEDY}"
            )
    names, others = one.info.class_names, other.info.class_names
    if names and others and names != others:
        raise UserError(
            f"{other.path} has other classes than {one.path}:"
            f" {model_info.first_difference(names, others)}; only checkpoints of the"
            " same classes, in the same order, can be averaged"
        )
    for name, shape in one.checkpoint.shapes.items():
        found = other.checkpoint.shapes.get(name, shape)
        if found != shape:
            raise UserError(
                f"{name} has the shape {shape} in {one.path} and {found} in"
                f" {other.path}: {_REMEDY}"
            )


def info_of_average(members: Sequence[Member]) -> ModelInfo:
    """The first one's, with names of classes from another where it has none."""
    names = next((m.info.class_names for m in members if m.info.class_names), None)
    return dataclasses.replace(members[0].info, class_names=names)


def seen_images(members: Sequence[Member]) -> SeenImages:
    """How training saw its images; as the first member's, where they differ.

    Raises:
      UserError: a `run.json` is damaged.
    """
    first, *others = (
        checkpoint_run.seen_images(os.path.dirname(member.path)) for member in members
    )
    for member, seen in zip(members[1:], others, strict=True):
        if seen != first:
            logging.warning(
                "%s was trained on other images than %s, or with other --sampling or"
                " augmentation; batch-norm statistics are recomputed as for the latter",
                *(member.path, members[0].path),
            )
    return first


def warn_unless_one_start(members: Sequence[Member]) -> None:
    """Warns where `run.json` files do not lead back to the same checkpoint.

    Weights that were trained apart from the first step on lie in different basins of
    the loss, and what lies between them is no better than chance.
    """
    starts = {origin(member.path): member.path for member in members}
    if len(starts) > 1:
        (start, path), (other_start, other_path), *_ = starts.items()
        logging.warning(
            "%s and %s do not share a start, as far as their run.json says (%s and %s):"
            " the average of such weights is mostly useless; fine-tune all of them from"
            " one checkpoint",
            *(path, other_path, start, other_start),
        )


def origin(path: str) -> str:
    """What a checkpoint's training started from, and the training of that, and so on.

    Args:
      path: a checkpoint or a folder.

    Returns:
      The real path of the first checkpoint, or of the folder of a run that started
      from scratch.
    """
    passed: set[str] = set()
    while True:
        try:
            path = storage.real(slim_format.find_checkpoint(path))
            folder = os.path.dirname(path)
        except UserError:  # no longer there, or none: as it is named
            path = storage.real(path)
            folder = path if storage.is_folder(path) else os.path.dirname(path)
        run = checkpoint_run.read(folder)
        if run is None or folder in passed:
            return path
        start = run.start_flags.get("checkpoint_path")
        if not start:
            return folder
        passed.add(folder)
        path = start
