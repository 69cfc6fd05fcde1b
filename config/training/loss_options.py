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
    moving_average_decay: float | None = option(
        None,
        "Decay of the moving averages of all variables, saved as"
        " <variable>/ExponentialMovingAverage; off by default.",
        minimum=0,
        maximum=1,
    )
