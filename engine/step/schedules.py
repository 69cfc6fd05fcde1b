"""Learning-rate schedules: slim's, cosine and piecewise decay."""

import math

import tensorflow as tf

from config.training.schedule_options import ScheduleOptions
from engine.step.run_length import RunLength
from errors import UserError


def decay_steps(options: ScheduleOptions, num_examples: int, batch_size: int) -> int:
    """Steps between two decays, or the length of the polynomial ramp.

    An epoch is counted in batches of one clone, as in slim: with n clones the rate
    decays n times as often in terms of images.

    Args:
      options: the schedule.
      num_examples: size of the training split.
      batch_size: images per batch and clone.

    Raises:
      UserError: this is less than one step.
    """
    steps = int(num_examples / batch_size * options.num_epochs_per_decay)
    if steps < 1:
        raise UserError(
            f"--num_epochs_per_decay={options.num_epochs_per_decay} is less than a step"
            f" ({num_examples} images in batches of {batch_size}): raise it, or use"
            " --learning_rate_decay_type=fixed"
        )
    return steps


def learning_rate(
    options: ScheduleOptions, step: tf.Tensor, length: RunLength
) -> tf.Tensor:
    """The learning rate of a step.

    Args:
      options: the schedule.
      step: scalar integer, the global step, 0 for the first.
      length: how long the run is.

    Returns:
      Scalar float32.
    """
    done = tf.cast(step, tf.float32)
    initial = tf.constant(options.learning_rate)
    decay_type = options.learning_rate_decay_type
    if decay_type == "fixed":
        rate = initial
    elif decay_type == "piecewise":
        starts = tf.constant(_decay_starts(options, length), tf.float32)
        decays = tf.math.count_nonzero(done >= starts, dtype=tf.float32)
        rate = initial * options.learning_rate_decay_factor**decays
    elif decay_type == "exponential":
        decays = tf.floor(done / _slims_length(options, length))
        rate = initial * options.learning_rate_decay_factor**decays
    elif decay_type in ("polynomial", "cosine"):
        end = options.final_learning_rate
        rate = (initial - end) * _share_left(options, done, length) + end
    else:
        raise ValueError(f"no formula for the schedule {decay_type!r}")
    if options.warmup_epochs:
        warmup_steps = length.num_examples / length.batch_size * options.warmup_epochs
        rate = tf.minimum(initial * done / warmup_steps, rate)
    return rate


def _share_left(
    options: ScheduleOptions, done: tf.Tensor, length: RunLength
) -> tf.Tensor:
    """How much of the decay from initial to final rate is still to come, in [0, 1].

    Cosine: (1 + cos(π t/T)) / 2 over the T steps of the run, Loshchilov and Hutter,
    "SGDR", https://arxiv.org/abs/1608.03983, equation 5, without restarts.
    """
    if options.learning_rate_decay_type == "cosine":
        assert length.last_step  # `TrainConfig` refuses cosine without a last step
        share_done = tf.minimum(done / length.last_step, 1.0)
        return (1 + tf.cos(math.pi * share_done)) / 2
    steps = _slims_length(options, length)
    return 1 - tf.minimum(done, steps) / steps


def _slims_length(options: ScheduleOptions, length: RunLength) -> float:
    return float(decay_steps(options, length.num_examples, length.batch_size))


def _decay_starts(options: ScheduleOptions, length: RunLength) -> list[int]:
    """The first step after each epoch of `--learning_rate_decay_epochs`."""
    return [length.steps_in(epoch) for epoch in options.decay_epochs]


def as_text(options: ScheduleOptions, length: RunLength) -> str:
    """Describes the schedule, for the log.

    Raises:
      UserError: it decays more than once per step.
    """
    factor, end = options.learning_rate_decay_factor, options.final_learning_rate
    decay_type = options.learning_rate_decay_type
    if decay_type == "fixed":
        form = "fixed"
    elif decay_type == "cosine":
        form = f"down to {end:g} at step {length.last_step}, by half a cosine"
    elif decay_type == "piecewise":
        starts = ", ".join(map(str, _decay_starts(options, length)))
        form = f"× {factor} after step {starts}"
    else:
        steps = decay_steps(options, length.num_examples, length.batch_size)
        form = f"down to {end} at step {steps}"
        if decay_type == "exponential":
            form = f"× {factor} every {steps} steps"
    return f"{options.learning_rate:g}, {form}"
