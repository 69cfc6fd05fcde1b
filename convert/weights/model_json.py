"""The `model.json` next to a converted checkpoint."""

import os

from absl import logging

from checkpoints import model_info, slim_format
from checkpoints.model_info import ModelInfo
from convert.weights import classes
from errors import UserError
from nets.network import Network


def info_of(
    net: Network,
    preprocessing: str,
    dataset_name: str | None,
    class_names: tuple[str, ...] | None,
) -> ModelInfo:
    """The content of `model.json` for a converted net."""
    is_imagenet = dataset_name == classes.IMAGENET
    offsets = classes.IMAGENET_OFFSETS if is_imagenet else {}
    return ModelInfo(
        model_name=net.model_name,
        image_size=net.image_size,
        use_grayscale=net.input_shape[2] == 1,
        preprocessing_name=preprocessing,
        labels_offset=offsets.get(net.num_classes, 0),
        dataset_name=dataset_name,
        num_classes=net.num_classes,
        class_names=class_names,
    )


def check(checkpoint_path: str, info: ModelInfo | None) -> None:
    """Refuses a folder with the `model.json` of another model.

    Args:
      checkpoint_path: prefix of the checkpoint to be written.
      info: its `model.json`; None if it will have none.

    Raises:
      UserError: the folder has one.
    """
    folder = os.path.dirname(checkpoint_path) or "."
    there = model_info.read(folder)
    if there is not None and there != info:
        raise UserError(
            f"--checkpoint_path={checkpoint_path}: {folder} has the"
            f" {model_info.FILE_NAME} of another model, {there.model_name} with"
            f" {there.num_classes} classes; give the checkpoint its own folder"
        )


def write_info(checkpoint_path: str, info: ModelInfo | None) -> None:
    """Writes `model.json`, unless the folder holds other checkpoints, too."""
    if info is None:
        return
    folder, name = os.path.split(checkpoint_path)
    others = [
        other for other in slim_format.checkpoints_in(folder or ".") if other != name
    ]
    if others:
        logging.info(
            "No %s was written, as %s holds other checkpoints, such as %s: evaluate"
            " with --model_name=%s --preprocessing_name=%s --labels_offset=%d.",
            model_info.FILE_NAME,
            folder or ".",
            others[0],
            info.model_name,
            info.preprocessing_name,
            info.labels_offset,
        )
        return
    info.write(folder or ".")
