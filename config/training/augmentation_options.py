"""Random changes of training images beyond the preprocessing's own."""

import dataclasses

from config.options import Options, option


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
