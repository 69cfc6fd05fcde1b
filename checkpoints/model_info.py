"""`model.json` next to a run's checkpoints: what its weights are for.

Evaluation, prediction and export read it, so that nobody has to remember the flags of
training; a flag that contradicts it is an error.
"""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from common import storage
from common.atomic_files import atomic_write
from errors import UserError

FILE_NAME = "model.json"

_OF_A_NEW_HEAD = ("final_endpoint", "head_hidden_units")


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    """What the weights of a run are for.

    Attributes:
      model_name: name of the net in `nets_factory.NETWORKS`.
      image_size: side of the images that it was trained on, in pixels.
      use_grayscale: whether it takes one channel instead of three.
      preprocessing_name: name in `preprocessing_factory`.
      labels_offset: what was subtracted from the data set's labels.
      dataset_name: what it was trained on; None if unknown, as for most nets of other
        frameworks.
      num_classes: number of logits.
      class_names: names of the logits in order; None if the data set has none.
      final_endpoint: the end point where the net ends early; None if it does not.
      head_hidden_units: sizes of the relu layers before the logits.
      bits: the number of bits per channel assumed for photos of more than 8 bits that
        do not say, as in the data set; None if it had none.
    """

    model_name: str
    image_size: int
    use_grayscale: bool
    preprocessing_name: str
    labels_offset: int
    dataset_name: str | None
    num_classes: int
    class_names: tuple[str, ...] | None
    bits: int | None = None
    final_endpoint: str | None = None
    head_hidden_units: tuple[int, ...] = ()

    def write(self, folder: str) -> None:
        """Writes `<folder>/model.json`, whole or not at all."""
        with atomic_write(os.path.join(folder, FILE_NAME), "w") as file:
            json.dump(self._as_json(), file, indent=2, ensure_ascii=False)
            file.write("\n")

    def _as_json(self) -> dict[str, Any]:
        """All values; those of a new head only if the net has one."""
        values = dataclasses.asdict(self)
        return {k: v for k, v in values.items() if v or k not in _OF_A_NEW_HEAD}

    def differences(self, other: "ModelInfo") -> list[str]:
        """What differs from an earlier one: "image_size was 224, is now 299"."""
        mine, theirs = dataclasses.asdict(self), dataclasses.asdict(other)
        return [
            f"{name} was {_short(theirs[name])}, is now {_short(mine[name])}"
            for name in mine
            if mine[name] != theirs[name]
        ]


def require_agreement(info: ModelInfo, given: Mapping[str, Any]) -> None:
    """Refuses flags that contradict `model.json`.

    Args:
      info: what it says.
      given: values by flag, which is named like the attribute; None if not given.

    Raises:
      UserError: a flag contradicts it.
    """
    for name, value in given.items():
        recorded = getattr(info, name)
        if value is not None and value != recorded:
            raise UserError(
                f"--{name}={flag_text(value)} contradicts {FILE_NAME} next to the"
                f" checkpoint, which was trained with {flag_text(recorded)}: leave it"
                " out"
            )


def flag_text(value: Any) -> str:
    """A value as text for its flag; "none" for an empty list, or for no value."""
    if type(value) is tuple:
        value = ",".join(map(str, value))
    return "none" if value in ("", None) else str(value)


def first_difference(trained: Sequence[str], here: Sequence[str]) -> str:
    """Where two lists of class names first differ, for a message.

    Args:
      trained: the classes that a checkpoint was trained on.
      here: the classes of the data, which differ.
    """
    pairs = zip(trained, here, strict=False)
    different = (i for i, (one, other) in enumerate(pairs) if one != other)
    place = next(different, None)
    if place is None:
        return f"{len(trained)} classes there and {len(here)} here"
    order = " (the same names in another order)" if set(trained) == set(here) else ""
    return f"class {place} is {trained[place]!r} there and {here[place]!r} here{order}"


def _short(value: Any) -> str:
    text = flag_text(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def read(folder: str) -> ModelInfo | None:
    """Reads a folder's `model.json`.

    Args:
      folder: where the checkpoints are.

    Returns:
      Its contents; None if there is none, as with a published checkpoint.

    Raises:
      UserError: the file is damaged.
    """
    path = os.path.join(folder, FILE_NAME)
    try:
        with storage.open_text(path) as file:
            return _parse(json.load(file))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} cannot be read ({error}): repair or remove it; without it, flags"
            " must describe the checkpoint"
        ) from error


def _parse(values: Mapping[str, Any]) -> ModelInfo:
    names = values.get("class_names")
    names = None if names is None else tuple(map(str, names))
    units = values.get("head_hidden_units", ())
    if not all(type(size) is int and size > 0 for size in units):
        raise TypeError(f"head_hidden_units is {units!r}, not sizes of layers")
    info = ModelInfo(
        **{**values, "class_names": names, "head_hidden_units": tuple(units)}
    )
    for field in dataclasses.fields(info):
        value = getattr(info, field.name)
        if field.type in (str, int, bool) and type(value) is not field.type:
            raise TypeError(f"{field.name} is {value!r}, not a {field.type.__name__}")
    if info.bits is not None and info.bits not in range(8, 17):
        raise TypeError(f"bits is {info.bits!r}, not 8 to 16")
    return info
