"""Whether the checkpoint that a run starts from has the run's classes and images."""

import os

from absl import logging

from checkpoints import model_info, scopes
from checkpoints.model_info import ModelInfo, first_difference
from config.training.fine_tune_options import FineTuneOptions
from engine.run.initial_weights import Start
from errors import UserError
from nets import nets_factory
from nets.new_head import NewHead
from preprocessing.preprocessing_factory import same_recipe


def check(start: Start, info: ModelInfo, options: FineTuneOptions) -> None:
    """Refuses the head of other classes, and warns where that cannot be checked.

    Args:
      start: how the run starts.
      info: the contents of the run's model.json.
      options: the excluded scopes, for the error message.

    Raises:
      UserError: the head is restored from a run whose classes have other names, or
        another order.
    """
    if start.checkpoint is None or start.resumes:
        return
    path = start.checkpoint.path
    source = model_info.read(os.path.dirname(path) or ".")
    if source:
        _warn_of_preprocessing(path, source, info)
    if not _restores_classes(start, info):
        return
    exclusion = ",".join(filter(None, [options.checkpoint_exclude_scopes, scopes.HEAD]))
    heads = ",".join(_head_scopes(info))
    afresh = (
        f"--checkpoint_exclude_scopes={exclusion} newly initializes the head (head"
        f" stands for {heads})"
    )
    if source and source.class_names and info.class_names:
        if source.class_names != info.class_names:
            difference = first_difference(source.class_names, info.class_names)
            raise UserError(
                f"{path} was trained on other classes than those of"
                f" {info.dataset_name}: {difference}, so the restored logits would"
                f" stand for the wrong classes; {afresh}"
            )
    elif not _is_same_data(source, info):
        logging.warning(
            "the class names of %s are unknown: its head is assumed to be for the"
            " classes of %s, in the same order; %s",
            *(path, info.dataset_name, afresh),
        )


def _restores_classes(start: Start, info: ModelInfo) -> bool:
    """Whether a restored variable has a value for each class."""
    heads = _head_scopes(info)
    return any(
        variable.restored
        and variable.shape[-1:] == (info.num_classes,)
        and any(scopes.matches(head, variable.name) for head in heads)
        for variable in start.plan.variables
    )


def _head_scopes(info: ModelInfo) -> tuple[str, ...]:
    head = NewHead.of(info)
    return nets_factory.head_scopes(info.model_name, head)


def _is_same_data(source: ModelInfo | None, info: ModelInfo) -> bool:
    if source is None:  # a published checkpoint, mostly
        return info.dataset_name == "imagenet"
    mine = info.dataset_name, info.labels_offset
    return (source.dataset_name, source.labels_offset) == mine


def _warn_of_preprocessing(path: str, source: ModelInfo, info: ModelInfo) -> None:
    theirs, ours = source.preprocessing_name, info.preprocessing_name
    if not same_recipe(theirs, ours):
        logging.warning(
            "%s was trained on images preprocessed by %s, but this run uses %s:"
            " --preprocessing_name=%s uses the former",
            *(path, theirs, ours, theirs),
        )
    if source.use_grayscale != info.use_grayscale:
        logging.warning(
            "%s was trained on %s images, but this run trains on %s ones: see"
            " --use_grayscale",
            *(path, *(_colors(r.use_grayscale) for r in (source, info))),
        )


def _colors(use_grayscale: bool) -> str:
    return "gray" if use_grayscale else "color"
