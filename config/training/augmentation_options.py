"""Random changes of training images beyond the preprocessing's own."""

import dataclasses
import math

from config.options import Options, option, split_list
from errors import UserError, nearest

# The entries of --random_affine, and what each must stay below.
_AFFINE_LIMITS = {"shear": 90.0, "zoom": 1.0, "rotate": 180.0, "shift": 1.0}


@dataclasses.dataclass(frozen=True)
class AugmentationOptions(Options):
    """Augmentation beyond the preprocessing's own."""

    rand_augment_ops: int = option(
        0,
        "Number of RandAugment operations applied to each image; 0 turns it off (not"
        " a slim flag).",
        minimum=0,
    )
    rand_augment_magnitude: int = option(
        9,
        "Strength of the RandAugment operations, from 0 to 30 (not a slim flag).",
        minimum=0,
        maximum=30,
    )
    random_affine: str | None = option(
        None,
        "Comma-separated limits of a random warp of each image: shear and rotate in"
        " degrees, zoom and shift as shares, as in"
        " shear=10,zoom=0.2,rotate=5,shift=0.1 (not a slim flag).",
    )
    random_erasing: float = option(
        0.0,
        "Probability of blanking a rectangle in an image (not a slim flag).",
        minimum=0,
        maximum=1,
    )
    mixup_alpha: float = option(
        0.0,
        "Mixup: blend pairs of images and their labels, with weights drawn from"
        " Beta(alpha, alpha); 0 turns it off, 0.2 is usual (not a slim flag).",
        minimum=0,
    )
    cutmix_alpha: float = option(
        0.0,
        "CutMix: paste a rectangle of another image and mix the labels by area, with"
        " shares drawn from Beta(alpha, alpha); 0 turns it off, 1 is usual. With mixup,"
        " one of the two is applied, at random (not a slim flag).",
        minimum=0,
    )

    def __post_init__(self) -> None:
        """Checks the limits of warps, too."""
        super().__post_init__()
        parse_affine(self.random_affine)

    @property
    def affine_ranges(self) -> dict[str, float]:
        """The limits in `--random_affine` by name; those that are not given are 0."""
        return parse_affine(self.random_affine)

    @property
    def of_single_images(self) -> dict[str, float | str]:
        """The flags that change images one by one, as far as they are on."""
        values: dict[str, float | str] = {
            "rand_augment_ops": self.rand_augment_ops,
            "random_affine": self.random_affine or "",
            "random_erasing": self.random_erasing,
        }
        return {name: value for name, value in values.items() if value}


def parse_affine(text: str | None) -> dict[str, float]:
    """The limits in a value of `--random_affine`.

    Raises:
      UserError: an entry is not name=number, unknown, given twice, or out of range.
    """
    ranges: dict[str, float] = {}
    if text and not split_list(text):
        raise UserError(
            f"--random_affine={text}: no entries; expected some, as in"
            " shear=10,zoom=0.2"
        )
    for part in split_list(text):
        name, _, number = (piece.strip() for piece in part.partition("="))
        if name not in _AFFINE_LIMITS:
            raise UserError(
                f"--random_affine={text}: unknown {name!r}"
                f"{nearest(name, _AFFINE_LIMITS)}: expected"
                f" {', '.join(_AFFINE_LIMITS)}, as in shear=10,zoom=0.2"
            )
        if name in ranges:
            raise UserError(f"--random_affine={text}: {name} is given twice")
        ranges[name] = _parse_limit(number)
        if not 0 <= ranges[name] < _AFFINE_LIMITS[name]:
            raise UserError(
                f"--random_affine={text}: {name}={number}, expected a number from 0 to"
                f" below {_AFFINE_LIMITS[name]:g}"
            )
    return ranges


def _parse_limit(number: str) -> float:
    try:
        return float(number)
    except ValueError:
        return math.nan
