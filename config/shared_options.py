"""The options that several commands have: data, net, computation."""

import dataclasses

from config.options import Options, option
from errors import UserError


@dataclasses.dataclass(frozen=True)
class DataOptions(Options):
    """Data."""

    dataset_name: str = option(
        "imagenet",
        "Name of the data set: the --dataset_name given to the converter, or cifar10,"
        " flowers, imagenet, mnist or visualwakewords.",
    )
    dataset_dir: str | None = option(
        None,
        "Folder with the TFRecords. Required, but where a run is evaluated that says it"
        " in run.json.",
    )
    labels_offset: int = option(
        0,
        "Subtracted from every label and from the number of classes: 1 for ImageNet"
        " with the 1000-class VGG and ResNet v1 weights.",
        minimum=0,
    )
    preprocessing_name: str | None = option(
        None, "Preprocessing of the images; by default the one of --model_name."
    )
    use_grayscale: bool = option(False, "Turn images to one channel.")
    max_bad_records: int = option(
        0,
        "Leave out up to so many records of a split that cannot be read or decoded, or"
        " whose label is no class; each is named. With 0 the first one met is an error;"
        " else every record is decoded once before the start (slim: none).",
        minimum=0,
    )
    num_preprocessing_threads: int = option(
        4, "Images decoded and preprocessed at once.", minimum=1
    )


@dataclasses.dataclass(frozen=True)
class ModelOptions(Options):
    """Network."""

    model_name: str = option("inception_v3", "Network: a name of nets/nets_factory.py.")


@dataclasses.dataclass(frozen=True)
class ComputeOptions(Options):
    """Computation."""

    precision: str = option(
        "float32",
        "Numbers that the layers compute with: float32, mixed_bfloat16 (up to twice"
        " as fast, on CPUs and GPUs that have it) or mixed_float16 (for older GPUs; the"
        " loss is scaled). Weights, statistics, loss and optimizer stay float32"
        " (slim: none).",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
    )


def require_dataset_dir(data: DataOptions) -> None:
    """Raises UserError where the folder with the TFRecords is not given."""
    if not data.dataset_dir:
        raise UserError("--dataset_dir is missing: the folder with the TFRecords")
