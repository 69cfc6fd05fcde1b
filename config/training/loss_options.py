"""The loss: targets, penalties; and moving averages of the weights."""

import dataclasses

from config.options import Options, option


@dataclasses.dataclass(frozen=True)
class LossOptions(Options):
    """Loss."""

    weight_decay: float = option(0.00004, "Weight of the L2 penalty.", minimum=0)
    label_smoothing: float = option(
        0.0,
        "Amount of label smoothing: the share of each label spread over all classes.",
        minimum=0,
        maximum=1,
    )
    class_weights: str = option(
        "none",
        "Weight of an image in the loss: none (all alike), balanced (inversely"
        " proportional to the number of images of its class) or effective (to their"
        " effective number). The mean over the images is 1 (not a slim flag).",
        choices=("none", "balanced", "effective"),
    )
    focal_gamma: float = option(
        0.0,
        "Focal loss: multiply the loss of an image by (1 - p)^gamma, p being the"
        " probability of its class; 0 turns it off, 2 is usual (not a slim flag).",
        minimum=0,
        maximum=100,
    )
    moving_average_decay: float | None = option(
        None,
        "Decay of the moving averages of all variables, saved as"
        " <variable>/ExponentialMovingAverage; off by default.",
        minimum=0,
        maximum=1,
    )
