"""Suggests a learning rate by trying small to large ones in a few steps of a run.

Smith, "Cyclical Learning Rates for Training Neural Networks",
https://arxiv.org/abs/1506.01186, section 3.3. The weights of the trial are discarded.
"""

import dataclasses
import math
import os
from collections.abc import Iterator, Sequence

import tensorflow as tf
from absl import logging
from matplotlib.figure import Figure

from checkpoints import shared_folder
from common import tables
from common.atomic_files import atomic_write
from common.progress import progress
from config.train_config import TrainConfig
from engine import devices
from engine.report import html_page
from engine.run import train_inputs, train_setup, training
from engine.run.train_setup import Setup

PICTURE = "learning_rates.svg"
_NUM_STEPS = 100
_LOWEST, _HIGHEST = 1e-7, 10.0
# Below this rate no optimizer moves the weights far in a few steps: losses differ by
# their batches alone.
_QUIET = 1e-5
_SMOOTHING = 0.9  # decay of the moving average of the loss
_STOPS_AT = 4.0  # times the lowest smoothed loss
_MARGIN = 10.0  # the suggestion is the rate of that loss divided by this
_ROWS = 20  # in the table


@dataclasses.dataclass(frozen=True)
class Trial:
    """One step.

    Attributes:
      rate: its learning rate.
      total_loss: total loss of its batch, before its update.
      smoothed: moving average of the losses so far.
    """

    rate: float
    total_loss: float
    smoothed: float


def find(setup: Setup, config: TrainConfig, strategy: tf.distribute.Strategy) -> None:
    """Tries rates; prints a table and a suggestion, draws `learning_rates.svg`.

    No checkpoint is saved, and nothing of a run in `--train_dir` is changed.

    Args:
      setup: how the run would start.
      config: the options.
      strategy: the devices.

    Raises:
      UserError: a record cannot be read.
    """
    first = setup.start.step
    state = train_setup.restored_state(setup, config, strategy)
    state.rate_fn = lambda step: rate_of(step - first)
    if setup.mixed_in and setup.mixed_in.first_batch >= first + _NUM_STEPS:
        logging.warning(
            "the trial has no images of split %r, which the run mixes in from step %d"
            " on: --mixed_in_after_epochs=0 tries rates with them",
            *(setup.mixed_in.dataset.split_name, setup.mixed_in.first_batch + 1),
        )
    inputs = train_inputs.make_inputs(setup, config, state)
    train_fn = training.make_train_fn(setup, config, strategy, state, inputs)
    batches = devices.iterate(strategy, inputs.batches)

    def steps() -> Iterator[tuple[float, float]]:
        numbers = range(_NUM_STEPS)
        for _ in progress(numbers, total=_NUM_STEPS, desc="trying rates", unit="step"):
            totals = train_fn(batches, tf.constant(1))
            yield float(totals["learning_rate"]), float(totals["last_total_loss"])

    trials = until_it_rises(steps())
    every = math.ceil(_NUM_STEPS / _ROWS)
    rows = [
        [f"{t.rate:.2e}", f"{t.total_loss:.4f}", f"{t.smoothed:.4f}"]
        for t in trials[::every]
    ]
    headers = "learning rate", "total loss", "smoothed"
    print(tables.printed(headers, rows), flush=True)
    suggested = suggestion(trials)
    path = os.path.join(config.run.train_dir, PICTURE)
    shared_folder.make(config.run.train_dir)
    with atomic_write(path) as file:
        file.write(draw(trials, suggested))
    logging.info("picture: %s", path)
    if suggested is None:
        logging.warning("no suggestion: the loss did not fall at any learning rate")
    else:
        print(f"suggestion: --learning_rate={suggested:.1e}", flush=True)


def rate_of(number: tf.Tensor) -> tf.Tensor:
    """The learning rate of a trial, rising geometrically.

    Args:
      number: scalar integer, from 0.

    Returns:
      Scalar float32.
    """
    share = tf.cast(number, tf.float32) / (_NUM_STEPS - 1)
    return _LOWEST * (_HIGHEST / _LOWEST) ** share


def until_it_rises(steps: Iterator[tuple[float, float]]) -> list[Trial]:
    """Takes steps until the smoothed loss is 4 times the lowest one, or not finite.

    Args:
      steps: learning rate and total loss of each step.
    """
    trials: list[Trial] = []
    mean, lowest = 0.0, math.inf
    for rate, loss in steps:
        if not math.isfinite(loss):
            break
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
        smoothed = mean / (1 - _SMOOTHING ** (len(trials) + 1))
        trials.append(Trial(rate, loss, smoothed))
        if rate >= _QUIET:
            lowest = min(lowest, smoothed)
        if smoothed > _STOPS_AT * lowest:
            break
    return trials


def suggestion(trials: Sequence[Trial]) -> float | None:
    """A tenth of the rate at which the smoothed loss is lowest; None if it never fell.

    At that rate the loss is about to rise; a whole run needs a lower one. The first
    rates change nothing: what their losses owe to the luck of batches does not count.
    """
    num_quiet = sum(trial.rate < _QUIET for trial in trials)
    tried = trials[num_quiet:]
    if not tried:
        return None
    before = trials[max(num_quiet - 1, 0)]
    best = min(tried, key=lambda trial: trial.smoothed)
    return best.rate / _MARGIN if best.smoothed < before.smoothed else None


def draw(trials: Sequence[Trial], suggested: float | None) -> bytes:
    """Draws the losses over the rates, as an SVG."""
    figure = Figure((5.6, 4.0), layout="constrained")
    axes = figure.add_subplot()
    rates = [trial.rate for trial in trials]
    axes.plot(rates, [t.total_loss for t in trials], color="#ced4da", label="of a step")
    axes.plot(rates, [t.smoothed for t in trials], color="#1f6feb", label="smoothed")
    if suggested is not None:
        axes.axvline(suggested, color="#2b8a3e", linestyle=":", label="suggestion")
    axes.set(xscale="log", xlabel="learning rate", ylabel="total loss")
    axes.legend(frameon=False, loc="upper left")
    return html_page.svg(figure)
