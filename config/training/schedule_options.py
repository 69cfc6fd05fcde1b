"""Learning rates: their schedule over the steps."""

import dataclasses
import itertools
import math

from config.options import MOST_EPOCHS, Options, option, split_list
from errors import UserError

_SLIMS_END = 0.0001  # slim's --end_learning_rate


@dataclasses.dataclass(frozen=True)
class ScheduleOptions(Options):
    """Learning rate."""

    learning_rate_decay_type: str = option(
        "exponential",
        "Learning-rate schedule: fixed, exponential or polynomial as in slim; cosine,"
        " over the length of the run; or piecewise, at --learning_rate_decay_epochs.",
        choices=("fixed", "exponential", "polynomial", "cosine", "piecewise"),
    )
    learning_rate: float = option(0.01, "Initial learning rate.", minimum=0)
    end_learning_rate: float | None = option(
        None,
        "Final learning rate: of the polynomial schedule, by default 0.0001 as in slim,"
        " and of the cosine schedule, by default 0.",
        minimum=0,
    )
    learning_rate_decay_factor: float = option(
        0.94,
        "Factor by which the exponential and the piecewise schedule lower the learning"
        " rate at each decay.",
        minimum=0,
    )
    num_epochs_per_decay: float = option(
        2.0,
        "Epochs between two decays of the exponential schedule, or length of the"
        " polynomial one, counted in batches of one clone.",
        above=0,
        maximum=MOST_EPOCHS,
    )
    learning_rate_decay_epochs: str | None = option(
        None,
        "Comma-separated epochs after each of which the piecewise schedule decays, as"
        " in 7,14, counted like --max_number_of_epochs (not a slim flag).",
    )
    warmup_epochs: float = option(
        0.0,
        "Epochs over which the learning rate rises linearly from 0.",
        minimum=0,
        maximum=MOST_EPOCHS,
    )
    find_learning_rate: bool = option(
        False,
        "Try learning rates from 1e-7 to 10 over up to 100 steps, print the losses and"
        " a suggestion, draw learning_rates.svg in --train_dir, then exit; nothing is"
        " trained (not a slim flag).",
    )

    def check(self, *, is_endless: bool) -> None:
        """Checks the schedule as a whole.

        Args:
          is_endless: no flag gives the run a length.

        Raises:
          UserError: options of the schedule contradict each other.
        """
        decay_type = self.learning_rate_decay_type
        if (decay_type == "piecewise") != bool(self.decay_epochs):
            raise UserError(
                "--learning_rate_decay_type=piecewise and --learning_rate_decay_epochs"
                " need each other: give both, as in --learning_rate_decay_epochs=7,14,"
                " or neither"
            )
        if decay_type != "cosine":
            return
        if is_endless:
            raise UserError(
                "--learning_rate_decay_type=cosine ends with the run: give its length,"
                " --max_number_of_steps or --max_number_of_epochs"
            )
        if self.final_learning_rate >= self.learning_rate > 0:
            raise UserError(
                f"--learning_rate={self.learning_rate:g} would not fall to"
                f" --end_learning_rate={self.final_learning_rate:g}: lower the latter"
            )

    @property
    def final_learning_rate(self) -> float:
        """`--end_learning_rate`, or its default for the schedule."""
        if self.end_learning_rate is not None:
            return self.end_learning_rate
        return 0.0 if self.learning_rate_decay_type == "cosine" else _SLIMS_END

    @property
    def decay_epochs(self) -> list[float]:
        """`--learning_rate_decay_epochs`, ascending; empty if it is not given.

        Raises:
          UserError: they are not positive numbers in ascending order.
        """
        text = self.learning_rate_decay_epochs
        try:
            epochs = [float(part) for part in split_list(text)]
        except ValueError:
            epochs = [math.nan]
        if not all(
            low < high <= MOST_EPOCHS
            for low, high in itertools.pairwise([0.0, *epochs])
        ):
            raise UserError(
                f"--learning_rate_decay_epochs={text}: expected epochs above 0 in"
                " ascending order, as in 7,14"
            )
        return epochs
