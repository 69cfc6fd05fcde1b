"""Weights already on this machine from which fine-tuning can start."""

import dataclasses
import glob
import os
from collections.abc import Iterator

from checkpoints import model_info
from checkpoints.model_info import ModelInfo
from convert.published.archives import ARCHIVES
from errors import UserError

FOLDER = "weights"  # where the documentation puts what is downloaded and converted


@dataclasses.dataclass(frozen=True)
class Weights:
    """A folder with a checkpoint, and its net.

    Attributes:
      path: the folder, for `--checkpoint_path`.
      model_name: the net.
      net_flags: training flags for the preprocessing that the weights expect and for
        where their net ends; none if both are the net's own.
    """

    path: str
    model_name: str
    net_flags: tuple[str, ...] = ()


def find() -> Weights | None:
    """The first weights in `weights/` in the working folder, or in the user's cache.

    Returns:
      None if no folder there holds a checkpoint whose net is known.
    """
    return next(_known_in(FOLDER), None) or next(_known_in(cache_folder()), None)


def cache_folder() -> str:
    """Where all commands cache weights, with a folder for each net."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "slim-image-classifier", "weights")


def _known_in(parent: str) -> Iterator[Weights]:
    for file in sorted(glob.glob(os.path.join(glob.escape(parent), "*", "*.ckpt*"))):
        folder = os.path.dirname(file)
        try:
            info = model_info.read(folder)
        except UserError:
            continue
        name = os.path.basename(folder)
        if info:
            yield Weights(folder, info.model_name, net_flags(info))
        elif name in ARCHIVES:  # as `download_checkpoint` names its folders
            yield Weights(folder, name)


def net_flags(info: ModelInfo) -> tuple[str, ...]:
    """Training flags, besides --model_name, for the weights that `info` describes."""
    flags = [
        f"--train_image_size={info.image_size}",
        f"--preprocessing_name={info.preprocessing_name}",
    ]
    if info.final_endpoint:
        flags.append(f"--final_endpoint={info.final_endpoint}")
    if info.head_hidden_units:
        sizes = model_info.flag_text(info.head_hidden_units)
        flags.append(f"--head_hidden_units={sizes}")
    if info.use_grayscale:
        flags.append("--use_grayscale")
    return tuple(flags)
