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
        None, "Preprocessing of the images; by default that of --model_name."
    )
    use_grayscale: bool = option(False, "Convert images to one channel.")
    max_bad_records: int = option(
        0,
        "Skip up to this many records of a split that cannot be read or decoded, or"
        " whose label is not a class; each one is reported. With 0 the first is an"
        " error; otherwise every record is decoded once before training starts (not a"
        " slim flag).",
        minimum=0,
    )
    num_preprocessing_threads: int = option(
        4, "Number of images decoded and preprocessed in parallel.", minimum=1
    )


@dataclasses.dataclass(frozen=True)
class ModelOptions(Options):
    """Network."""

    model_name: str = option(
        "inception_v3", "Network: a name from nets/nets_factory.py."
    )


@dataclasses.dataclass(frozen=True)
class ComputeOptions(Options):
    """Computation."""

    precision: str = option(
        "float32",
        "Compute dtype of the layers: float32, mixed_bfloat16 (up to twice as fast on"
        " CPUs and GPUs that support it) or mixed_float16 (for older GPUs, with loss"
        " scaling). Weights, statistics, loss and optimizer state stay float32 (not a"
        " slim flag).",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
    )


def require_dataset_dir(data: DataOptions) -> None:
    """Raises UserError where the folder with the TFRecords is not given."""
    if not data.dataset_dir:
        raise UserError("--dataset_dir is missing: the folder with the TFRecords")
