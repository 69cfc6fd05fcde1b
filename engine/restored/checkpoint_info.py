"""What a checkpoint is: by its `model.json`, or else by flags and its head.

Evaluation, prediction and export all use this answer.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from absl import logging

from checkpoints import model_info, scopes
from checkpoints.model_info import ModelInfo, first_difference
from checkpoints.slim_format import Checkpoint
from config.predict_config import NetOptions
from config.shared_options import DataOptions, parse_hidden_units
from datasets import dataset_factory, dataset_json, folder_splits, imagenet
from datasets.dataset import Dataset
from errors import UserError
from nets import nets_factory, new_head
from nets.new_head import OWN_HEAD, NewHead
from preprocessing.preprocessing_factory import same_recipe

_DEFAULT_NET = "inception_v3"  # slim's
_IMAGENET_CLASSES = 1001  # slim's, "background" included


def info_of(checkpoint: Checkpoint | None, options: NetOptions) -> ModelInfo:
    """What a checkpoint is, for prediction and export.

    Args:
      checkpoint: the checkpoint; None to go by the options only.
      options: they override only the image size of `model.json`.

    Raises:
      UserError: an option contradicts `model.json` or the checkpoint, or something
        remains unknown.
    """
    folder = os.path.dirname(checkpoint.path) or "." if checkpoint else None
    info = model_info.read(folder) if folder else None
    if info is None:
        return _from_options(checkpoint, options)
    names = ("model_name", "preprocessing_name", "use_grayscale", "labels_offset")
    given = {name: getattr(options, name) for name in (*names, "final_endpoint")}
    given["head_hidden_units"] = parse_hidden_units(options.head_hidden_units) or None
    require_agreement(info, given)
    if info.class_names and options.dataset_dir:
        require_same_classes(
            info,
            any_split(options, info.dataset_name),
            info.labels_offset,
            remedy="leave out --dataset_dir, or name the data that it was trained on",
        )
    return dataclasses.replace(
        info,
        image_size=options.image_size or info.image_size,
        class_names=info.class_names or _names_from_elsewhere(info, options),
    )


def data_options(info: ModelInfo, options: NetOptions) -> DataOptions:
    """The data options with which a checkpoint was trained.

    Args:
      info: what the checkpoint is.
      options: the folder of the data set, and its name if `info` has none.

    Raises:
      UserError: the name of the data set is unknown.
    """
    name = options.dataset_name or info.dataset_name
    if name is None:
        raise UserError(
            "model.json does not say which data set the checkpoint was trained on: give"
            " --dataset_name"
        )
    return DataOptions(
        dataset_name=name,
        dataset_dir=options.dataset_dir,
        labels_offset=info.labels_offset,
        preprocessing_name=info.preprocessing_name,
        use_grayscale=info.use_grayscale,
    )


def require_agreement(info: ModelInfo, given: Mapping[str, Any]) -> None:
    """Refuses flags that contradict `model.json`.

    Args:
      info: its contents.
      given: values by flag; None if not given. The preprocessing may have another of
        its names.

    Raises:
      UserError: a flag contradicts it.
    """
    recipe = given.get("preprocessing_name")
    if recipe and same_recipe(recipe, info.preprocessing_name):
        given = {**given, "preprocessing_name": None}
    model_info.require_agreement(info, given)


def require_same_classes(
    info: ModelInfo, dataset: Dataset, labels_offset: int, *, remedy: str
) -> None:
    """Refuses data whose classes have other names, or another order.

    Args:
      info: the contents of `model.json`; its classes may lack names.
      dataset: the data; its classes may lack names.
      labels_offset: number of the data's first classes that the net lacks.
      remedy: what to do, for the error message.

    Raises:
      UserError: a class has another name than its logit.
    """
    if info.class_names is None or dataset.class_names is None:
        return
    names = dataset.class_names[labels_offset:]
    if names != info.class_names:
        raise UserError(
            f"{dataset.dataset_dir} has other classes than the checkpoint was trained"
            f" on, according to its {model_info.FILE_NAME}:"
            f" {first_difference(info.class_names, names)}; {remedy}"
        )


def _names_from_elsewhere(
    info: ModelInfo, options: NetOptions
) -> tuple[str, ...] | None:
    """The class names for a converted checkpoint, whose source had none."""
    name, offset = options.dataset_name or info.dataset_name, info.labels_offset
    if options.dataset_dir:
        dataset = any_split(options, info.dataset_name)
        if dataset.num_classes - offset != info.num_classes:
            options = dataclasses.replace(options, labels_offset=offset)
            raise _misfit(options, dataset.num_classes, None, info.num_classes)
        names = dataset.class_names
    elif name == "imagenet":
        names = imagenet.class_names(info.num_classes + offset)
    else:
        names = None
        if name is None:
            _warn_of_numbers(info.num_classes)
    return names and names[offset:]


def _from_options(checkpoint: Checkpoint | None, options: NetOptions) -> ModelInfo:
    """What a published checkpoint, without `model.json`, is."""
    model_name = options.model_name or _DEFAULT_NET
    entry = nets_factory.get_entry(model_name)
    head = NewHead(
        options.final_endpoint, parse_hidden_units(options.head_hidden_units)
    )
    trained = num_trained_classes(checkpoint, model_name, head) if checkpoint else None
    names, num_classes, offset = _classes(options, trained)
    return ModelInfo(
        model_name=model_name,
        image_size=options.image_size or entry.image_size,
        use_grayscale=bool(options.use_grayscale),
        preprocessing_name=options.preprocessing_name or entry.preprocessing,
        labels_offset=offset,
        dataset_name=options.dataset_name or "imagenet",
        num_classes=num_classes - offset,
        class_names=names and names[offset:],
        final_endpoint=head.final_endpoint,
        head_hidden_units=head.hidden_units,
    )


def _classes(
    options: NetOptions, trained: int | None
) -> tuple[tuple[str, ...] | None, int, int]:
    """Names and number of the data's classes, and the labels offset of the net."""
    total = _IMAGENET_CLASSES
    names = imagenet.class_names(total)
    counts: tuple[int, ...] = ()
    if options.dataset_dir:
        dataset = any_split(options)
        names, total = dataset.class_names, dataset.num_classes
        counts = dataset.class_counts
    elif options.dataset_name not in (None, "imagenet"):
        spec = dataset_factory.registered(options.dataset_name)
        if spec is None:
            raise UserError(
                f"--dataset_name={options.dataset_name} does not say how many classes"
                f" there are, nor does {model_info.FILE_NAME} of the checkpoint:"
                " give --dataset_dir"
            )
        names, total = spec.class_names, spec.num_classes
    if trained is None:
        return names, total, _given_offset(options, total)
    offset = options.labels_offset
    if offset is None:
        offset = detected_offset(total, counts, trained)
    if offset is not None and total - offset == trained:
        if not (options.dataset_name or options.dataset_dir):
            logging.warning(
                "The checkpoint does not name its %d classes, so they are assumed to be"
                " ImageNet's: if they are others, give --dataset_name and"
                " --dataset_dir.",
                trained,
            )
        return names, total, offset
    if options.dataset_name or options.dataset_dir or options.labels_offset is not None:
        raise _misfit(options, total, detected_offset(total, counts, trained), trained)
    _warn_of_numbers(trained)
    return None, trained, 0


def _warn_of_numbers(num_classes: int) -> None:
    logging.warning(
        "the names of the checkpoint's %d classes are unknown, so they are numbered:"
        " give --dataset_name and --dataset_dir",
        num_classes,
    )


def _given_offset(options: NetOptions, total: int) -> int:
    offset = options.labels_offset or 0
    if offset >= total:
        raise UserError(f"--labels_offset={offset}: there are only {total} classes")
    return offset


def _misfit(
    options: NetOptions, total: int, fitting: int | None, trained: int
) -> UserError:
    name, offset = options.dataset_name or "imagenet", options.labels_offset or 0
    remedy = "name the data set that it was trained on"
    if fitting is not None:
        remedy = f"--labels_offset={fitting} fits, and is found without the flag"
    return UserError(
        f"the checkpoint is for {trained} classes, but {name} has {total}, with"
        f" --labels_offset={offset} {total - offset}: {remedy}"
    )


def num_trained_classes(
    checkpoint: Checkpoint, model_name: str, head: NewHead = OWN_HEAD
) -> int | None:
    """Number of classes of a checkpoint's head; None if it has no such head.

    Raises:
      UserError: there is no such net.
    """
    scope = nets_factory.head_scopes(model_name, head)[0]
    last = f"{new_head.LOGITS_SCOPE}/biases" if head else "biases"
    for name, shape in checkpoint.shapes.items():
        if scopes.matches(scope, name) and name.endswith(f"/{last}"):
            return shape[0]
    return None


def detected_offset(
    num_classes: int, class_counts: Sequence[int], num_trained: int
) -> int | None:
    """The labels offset with which data fits a net.

    Args:
      num_classes: number of classes of the data set.
      class_counts: number of images of each class; empty if unknown.
      num_trained: number of classes of the net.

    Returns:
      0, or 1 if the first class has no images, like ImageNet's "background"; None if
      neither fits.
    """
    offset = num_classes - num_trained
    fits = offset == 0 or (offset == 1 and not any(class_counts[:1]))
    return offset if fits else None


def any_split(options: NetOptions, recorded_name: str | None = None) -> Dataset:
    """The split `train` of the options' data set, else its first.

    Args:
      options: its `dataset_name`, or else that of dataset.json in `dataset_dir`.
      recorded_name: name of the data set if it has neither; None for imagenet.

    Raises:
      UserError: there is no such data set.
    """
    dataset_dir = options.dataset_dir or ""
    folder_splits.require_directory(dataset_dir)
    info = None if options.dataset_name else dataset_json.read(dataset_dir)
    found_name = info.name if info else recorded_name
    name = options.dataset_name or found_name or "imagenet"
    splits = dataset_factory.available_splits(name, dataset_dir)
    split = splits[0] if splits and "train" not in splits else "train"
    return dataset_factory.get_dataset(name, split, dataset_dir)
