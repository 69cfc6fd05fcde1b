"""The options of `convert/pseudo_label.py`."""

import dataclasses
import re

from config.options import Options, option
from config.predict_config import NetOptions
from errors import UserError


@dataclasses.dataclass(frozen=True)
class PseudoLabelOptions(Options):
    """Pseudo-labels."""

    checkpoint_path: str | None = option(
        None,
        "Checkpoint to label with: a run's folder (its newest checkpoint), or a prefix."
        " Required.",
    )
    image_dir: str | None = option(
        None, "Folder of unlabeled photos, subfolders included. Required."
    )
    split_name: str = option(
        "pseudo", "Name of the new split, which the data set must not have yet."
    )
    threshold: float = option(
        0.95,
        "Minimum probability of a photo's predicted class.",
        above=0,
        maximum=1,
    )
    images_per_class: int | None = option(
        None,
        "Maximum number of photos per class, the most confident first; 0 keeps all. By"
        " default as many as the smallest class has.",
        minimum=0,
    )
    moving_average_decay: float | None = option(
        None, "Any value but 0 uses the moving averages of the variables."
    )
    num_shards: int = option(
        5,
        "Number of TFRecord files; one per photo if there are fewer photos.",
        minimum=1,
        maximum=99999,
    )
    batch_size: int = option(32, "Batch size.", minimum=1)
    num_preprocessing_threads: int = option(
        4, "Number of photos decoded and preprocessed in parallel.", minimum=1
    )

    def __post_init__(self) -> None:
        """Checks what is required, and the name of the split."""
        super().__post_init__()
        if not self.checkpoint_path:
            raise UserError("--checkpoint_path is missing: the run to label with")
        if not self.image_dir:
            raise UserError("--image_dir is missing: the folder of unlabeled photos")
        if not re.fullmatch(r"[A-Za-z0-9][\w-]*", self.split_name):
            raise UserError(
                f"--split_name={self.split_name}: give a name made of letters, digits,"
                " '_' and '-', as in pseudo2"
            )


@dataclasses.dataclass(frozen=True)
class PseudoLabelConfig:
    """All options of `pseudo_label`."""

    labeling: PseudoLabelOptions
    net: NetOptions
