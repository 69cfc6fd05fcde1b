"""The facts about a data set that its files do not state."""

import dataclasses


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
