"""The options that several commands have: data, net, computation."""

import dataclasses

from config.options import Options, option, split_list
from errors import UserError

TTA_VIEWS = ("flip", "ten_crop")


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
        "Folder with the TFRecords. Required, except to evaluate a run whose run.json"
        " names it.",
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
class ModelNameOptions(Options):
    """Network."""

    model_name: str = option(
        "inception_v3", "Network: a name from nets/nets_factory.py."
    )


@dataclasses.dataclass(frozen=True)
class ModelOptions(ModelNameOptions):
    """Network."""

    final_endpoint: str | None = option(
        None,
        "End the network at this end point: a new head pools it over height and width,"
        " and what comes after it is not built. A wrong name lists the end points;"
        " convert/inspect_network.py shows them (not a slim flag).",
    )
    head_hidden_units: str | None = option(
        None,
        "Comma-separated sizes of relu layers between the features and the logits, as"
        " in 1024 or 1024,256; a new head with them replaces the network's own (not a"
        " slim flag).",
    )

    def __post_init__(self) -> None:
        """Checks the sizes, too."""
        super().__post_init__()
        parse_hidden_units(self.head_hidden_units)

    @property
    def hidden_units(self) -> tuple[int, ...]:
        """The sizes of the hidden layers, in order."""
        return parse_hidden_units(self.head_hidden_units)


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
    tf32: bool = option(
        True,
        "On NVIDIA GPUs since Ampere, multiply float32 numbers rounded to 10 bits of"
        " mantissa, which is several times as fast; false keeps all 23 (not a slim"
        " flag).",
    )
    jit_compile: bool = option(
        False,
        "On GPUs, compile with XLA what it can: a slower start, then often faster steps"
        " (not a slim flag).",
    )


def parse_hidden_units(text: str | None) -> tuple[int, ...]:
    """The sizes in a value of `--head_hidden_units`.

    Raises:
      UserError: one of them is not a whole number of 1 or more.
    """
    sizes = [size.strip() for size in (text or "").split(",")] if text else []
    if not all(size.isdecimal() and int(size) for size in sizes):
        raise UserError(
            f"--head_hidden_units={text}: expected whole numbers of 1 or more with"
            " commas between, as in 1024,256"
        )
    return tuple(map(int, sizes))


def check_tta(text: str | None) -> None:
    """Raises UserError where a value of `--tta` names an unknown view."""
    if set(split_list(text)) - set(TTA_VIEWS):
        raise UserError(
            f"--tta={text}: expected {' or '.join(TTA_VIEWS)}, or both with a comma"
            " between"
        )


def require_dataset_dir(dataset_dir: str | None) -> None:
    """Raises UserError where the folder with the TFRecords is not given."""
    if not dataset_dir:
        raise UserError("--dataset_dir is missing: the folder with the TFRecords")
