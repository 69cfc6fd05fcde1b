"""Learning rates: their schedule over the steps."""

import dataclasses

from config.options import Options, option


@dataclasses.dataclass(frozen=True)
class ScheduleOptions(Options):
    """Learning rate."""

    learning_rate_decay_type: str = option(
        "exponential",
        "Learning-rate schedule: fixed, exponential or polynomial.",
        choices=("fixed", "exponential", "polynomial"),
    )
    learning_rate: float = option(0.01, "Initial learning rate.", minimum=0)
    end_learning_rate: float = option(
        0.0001, "Final learning rate of the polynomial schedule.", minimum=0
    )
    learning_rate_decay_factor: float = option(
        0.94,
        "Factor by which the exponential schedule lowers the learning rate at each"
        " decay.",
        minimum=0,
    )
    num_epochs_per_decay: float = option(
        2.0,
        "Epochs between two decays of the exponential schedule, or length of the"
        " polynomial one, counted in batches of one clone.",
        above=0,
    )
    warmup_epochs: float = option(
        0.0, "Epochs over which the learning rate rises linearly from 0.", minimum=0
    )
