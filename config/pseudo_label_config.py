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
        "What to label with: a run's folder (its newest checkpoint), or a checkpoint's"
        " prefix. Required.",
    )
    image_dir: str | None = option(
        None, "Folder of the unlabeled photos, with those in folders below. Required."
    )
    split_name: str = option(
        "pseudo", "Name of the new split; the data set must not have it."
    )
    threshold: float = option(
        0.95,
        "Least probability with which the net must predict a photo's class.",
        above=0,
        maximum=1,
    )
    images_per_class: int | None = option(
        None,
        "Most photos to keep of each class, the most confident first; 0 keeps all. By"
        " default as many as the class with the fewest has.",
        minimum=0,
    )
    moving_average_decay: float | None = option(
        None, "Any value but 0 takes the moving averages of the variables."
    )
    num_shards: int = option(
        5, "TFRecord files of the split, or one per photo.", minimum=1, maximum=99999
    )
    batch_size: int = option(32, "Photos classified at once.", minimum=1)
    num_preprocessing_threads: int = option(
        4, "Photos decoded and preprocessed in parallel.", minimum=1
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
