"""The flags of every command that converts weights."""

import dataclasses

from config.options import Options, option
from convert.weights.classes import IMAGENET


@dataclasses.dataclass(frozen=True)
class ConversionOptions(Options):
    """Conversion."""

    checkpoint_path: str = option(
        None,
        "Where to write the checkpoint: a prefix such as folder/model.ckpt, to which"
        " TensorFlow adds .index and .data-00000-of-00001.",
        required=True,
    )
    class_names: str | None = option(
        None,
        "Names of the classes, in the order of the outputs: a text file with one name"
        f" per line, or in the format of labels.txt; or {IMAGENET}, for weights that"
        " were trained on it. By default the classes are numbered, except for weights"
        " known to be published ones.",
    )
