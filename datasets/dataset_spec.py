"""The facts about data sets that their files do not state, by the data set's name."""

import dataclasses

from errors import UserError


@dataclasses.dataclass(frozen=True)
class DatasetSpec:
    """The facts about a data set that its files do not state.

    Attributes:
      file_pattern: pattern of the names of the TFRecords; %s stands for the split.
      splits: the usual names of the splits.
      num_classes: used only without a labels.txt, as is `class_names`.
      num_channels: 3 (RGB) or 1 (grayscale).
      label_default: label of records that have none; -1 makes that an error.
      format_default: format of records that name none.
      class_names: class names by label, if known.
    """

    file_pattern: str
    splits: tuple[str, ...]
    num_classes: int
    num_channels: int = 3
    label_default: int = -1
    format_default: str = ""
    class_names: tuple[str, ...] | None = None


GENERIC_SPEC = DatasetSpec("", (), 0)

_REGISTRY: dict[str, DatasetSpec] = {}


def register_dataset(name: str, spec: DatasetSpec) -> None:
    """Registers `--dataset_name=name` for files that do not describe themselves.

    Raises:
      UserError: another data set has this name.
    """
    if _REGISTRY.setdefault(name, spec) != spec:
        raise UserError(f"data set {name!r} is already registered: choose another name")


def registered(name: str) -> DatasetSpec | None:
    """What is known about a stock or registered name without looking at files."""
    return _REGISTRY.get(name)


def known_names() -> list[str]:
    """The names of all data sets whose files need no description, sorted."""
    return sorted(_REGISTRY)
