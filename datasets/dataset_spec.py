"""What the files of a data set do not say themselves."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class DatasetSpec:
    """What the files of a dataset do not say themselves.

    Attributes:
      file_pattern: of the TFRecords' names; %s stands for the split.
      splits: their usual names.
      num_classes: used only where there is no labels.txt, as is `class_names`.
      num_channels: 3 (RGB) or 1 (grey).
      label_default: the label of a record that has none; -1 makes it an error.
      format_default: the format of a record that names none.
      class_names: by label, where they are known.
    """

    file_pattern: str
    splits: tuple[str, ...]
    num_classes: int
    num_channels: int = 3
    label_default: int = -1
    format_default: str = ""
    class_names: tuple[str, ...] | None = None
