"""Whether the statistics of trained batch norms have settled.

After n steps with decay d a stored average still holds a share d^n of its initial
value: mean 0 and variance 1, or a checkpoint's, which belong to other weights.
"""

import dataclasses
import math

from checkpoints.plan import Plan
from nets.network import Network, is_auxiliary

# The share at which the initial value is deemed forgotten. Small, since new nets have
# variances of some hundredths, far below the initial 1, and since errors of scale
# multiply from layer to layer.
SETTLED = 0.001


@dataclasses.dataclass(frozen=True)
class Lag:
    """How closely statistics follow a net in training.

    Attributes:
      num_batch_norms: number of batch norms that use and update batch statistics, and
        whose averages evaluation reads.
      decay: decay of the slowest of them.
    """

    num_batch_norms: int
    decay: float

    def start_left(self, steps: int) -> float:
        """Share of the initial value in the averages after this many steps."""
        return self.decay**steps

    def is_settled(self, steps: int | None) -> bool:
        """Whether the initial value is forgotten after steps; None for endless runs."""
        if not self.num_batch_norms:
            return True
        if self.decay == 1:
            return False
        return steps is None or steps >= steps_to_settle(self.decay)

    def as_text(self, steps: int | None) -> str:
        """How long the statistics take to settle, against the steps of the run."""
        count = self.num_batch_norms
        which = "one that is trained" if count == 1 else f"{count:,} that are trained"
        needed = "never settle"
        if self.decay < 1:
            needed = f"need {steps_to_settle(self.decay):,} steps to settle"
        run = "" if steps is None else f"; the run has {steps:,}"
        return (
            f"batch norm: the statistics of the {which} {needed}"
            f" (decay {self.decay:g}){run}"
        )


def lag_of(network: Network, plan: Plan, decay: float | None) -> Lag:
    """The lag of a net in training, not counting its auxiliary head.

    Args:
      network: the net.
      plan: which of its batch norms are trained.
      decay: `--batch_norm_decay`; None for each batch norm's own.
    """
    decays = [
        network.batch_norm_decays[scope]
        for scope in plan.updating_batch_norms
        if not is_auxiliary(scope)
    ]
    slowest = max(decays, default=0.0)
    return Lag(len(decays), slowest if decay is None else decay)


def steps_to_settle(decay: float) -> int:
    """The least n with decay^n <= `SETTLED`, for a decay in [0, 1)."""
    if decay == 0:
        return 1
    return math.ceil(math.log(SETTLED) / math.log(decay) - 1e-9)  # not 4 for 0.1
