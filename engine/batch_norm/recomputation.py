"""Batch-norm statistics that replace the stored averages while these lag.

Evaluations of a run, and its checkpoints, use statistics of the current weights
instead of the stored averages. The run itself continues from the averages, which
checkpoints also hold: it does not depend on when it evaluates, saves or is killed, and
a batch norm in training reads neither.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tensorflow as tf
from absl import logging

from common.progress import progress
from config.training.augmentation_options import AugmentationOptions
from config.training.fine_tune_options import FineTuneOptions
from engine.batch_norm.batch_norm_lag import Lag
from engine.batch_norm.population_statistics import Moments, MomentsFn, over_batches
from engine.step.moving_average import SUFFIX, holding
from engine.step.randomness import mix
from engine.step.train_state import TrainState

# Wu and Johnson, "Rethinking 'Batch' in BatchNorm", find 10^3 to 10^4 enough.
IMAGES = 1000

_REMEDY = (
    "evaluation falls behind training: --recompute_batch_norm=true, or"
    " convert/recompute_batch_norm.py afterwards, recomputes them"
)

MomentsAt = Callable[[int], Callable[[], Iterable[Moments]]]


def num_batches(num_examples: int, batch_size: int, num_images: int = IMAGES) -> int:
    """Number of batches for `num_images`, or for an epoch if that is less."""
    return math.ceil(min(num_images, num_examples) / batch_size)


def moments_of(
    batches: tf.data.Dataset,
    num_batches: int,
    moments_fn: MomentsFn,
    seed: tf.Tensor,
    augmentation: AugmentationOptions,
    num_classes: int,
) -> Iterator[Moments]:
    """The moments of batches as a step sees them, mixed and with dropout.

    Args:
      batches: batches of images or features, with a "label".
      num_batches: number of batches to use.
      moments_fn: runs the net on them.
      seed: `[2]` int64, of everything random in them.
      augmentation: how images are mixed.
      num_classes: number of classes.
    """
    steps = progress(
        batches.take(num_batches),
        total=num_batches,
        desc="recomputing statistics",
        unit="step",
    )
    for number, batch in enumerate(steps):
        of_batch = tf.random.experimental.stateless_fold_in(seed, number)
        mixed = {}
        if "image" in batch:
            targets = tf.one_hot(batch["label"], num_classes)
            images, _ = mix(batch["image"], targets, of_batch, augmentation)
            mixed["image"] = images
        yield moments_fn(batch | mixed, tf.cast(of_batch, tf.int32))


def resolved(options: FineTuneOptions) -> str:
    """`--recompute_batch_norm`, off by default with `--freeze_batch_norm=false`."""
    option = options.recompute_batch_norm
    if option == "auto" and not options.freeze_batch_norm:
        return "false"
    return option


def log_lag(lag: Lag, option: str, last_step: int | None) -> None:
    """Logs before the first step how long statistics lag, and the consequence."""
    said = lag.as_text(last_step)
    if not lag.num_batch_norms:
        if option == "true":
            logging.info(
                "batch norm: none that is evaluated is trained, so none is recomputed"
            )
    elif option == "true":
        logging.info("%s; they are recomputed for evaluations and checkpoints", said)
    elif option == "auto":
        until = "; until then they are recomputed for evaluations and checkpoints"
        logging.info("%s%s", said, "" if lag.is_settled(1) else until)
    elif lag.is_settled(last_step):
        logging.info("%s", said)
    else:
        logging.warning("%s; %s", said, _REMEDY)


class Recomputation:
    """Recomputes a run's batch-norm statistics when they are needed."""

    def __init__(
        self, state: TrainState, lag: Lag, option: str, moments_at: MomentsAt
    ) -> None:
        """Computes nothing yet.

        Args:
          state: what is trained.
          lag: how its statistics lag.
          option: `--recompute_batch_norm`, resolved: auto, true or false.
          moments_at: from a step to what gives the moments of its batches; these are
            a pure function of the step and of the variables as they are then.
        """
        self._state = state
        self._lag = lag
        self._option = option
        self._moments_at = moments_at
        self._step: int | None = None
        self._statistics: dict[str, np.ndarray] = {}

    def is_due(self, step: int) -> bool:
        """Whether the averages at a step are replaced."""
        if not self._lag.num_batch_norms or self._option == "false":
            return False
        return self._option == "true" or not self._lag.is_settled(step)

    def statistics(self) -> dict[str, np.ndarray]:
        """Current statistics by name in a checkpoint; empty if the averages suffice.

        With moving averages of the variables, their statistics are included.
        """
        step = int(self._state.global_step.numpy())
        if not self.is_due(step):
            return {}
        if step != self._step:
            started_at = time.monotonic()
            average = self._state.moving_average
            moments = self._moments_at(step)
            self._statistics = over_batches(moments())
            if average:
                with average.in_place():
                    averaged = over_batches(moments())
                self._statistics |= {f"{n}/{SUFFIX}": averaged[n] for n in averaged}
            self._step = step
            logging.info(
                "batch norm: statistics recomputed at step %d in %.1f s",
                *(step, time.monotonic() - started_at),
            )
        return self._statistics

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, the net has what evaluation uses: averages and current statistics."""
        average = self._state.moving_average
        suffix = f"/{SUFFIX}" if average else ""
        variables = self._state.network.model_variables
        statistics = self.statistics()
        shown = {
            n: statistics[n + suffix] for n in variables if n + suffix in statistics
        }
        outer = average.in_place() if average else contextlib.nullcontext()
        with outer, holding(variables, shown):
            yield

    def warn_if_unsettled(self, step: int) -> None:
        """Warns if the averages at a step lag and are not replaced."""
        if self._lag.is_settled(step) or self.is_due(step):
            return
        logging.warning(
            "%s; at step %d they hold %.1f %% of their initial value, so %s",
            *(self._lag.as_text(None), step, 100 * self._lag.start_left(step)),
            _REMEDY,
        )
