"""Learning rate by step, slim's formulas."""

import tensorflow as tf

from config.training.schedule_options import ScheduleOptions
from errors import UserError


def decay_steps(options: ScheduleOptions, num_examples: int, batch_size: int) -> int:
    """Steps between two decays, or the length of the polynomial ramp.

    An epoch is counted in batches of one clone, as in slim: with n clones the rate
    decays n times as often in terms of images.

    Args:
      options: the schedule.
      num_examples: of the training split.
      batch_size: images a step on each clone.

    Raises:
      UserError: the length is less than one step.
    """
    steps = int(num_examples / batch_size * options.num_epochs_per_decay)
    if steps < 1 and options.learning_rate_decay_type != "fixed":
        raise UserError(
            f"--num_epochs_per_decay={options.num_epochs_per_decay} is less than a step"
            f" ({num_examples} images in batches of {batch_size}): raise it, or use"
            " --learning_rate_decay_type=fixed"
        )
    return steps


def learning_rate(
    options: ScheduleOptions, step: tf.Tensor, num_examples: int, batch_size: int
) -> tf.Tensor:
    """The rate of a step.

    Args:
      options: the schedule.
      step: scalar integer, the global step, 0 for the first.
      num_examples: of the training split.
      batch_size: images a step on each clone.

    Returns:
      Scalar float32.
    """
    done = tf.cast(step, tf.float32)
    length = float(decay_steps(options, num_examples, batch_size))
    initial = tf.constant(options.learning_rate)
    if options.learning_rate_decay_type == "fixed":
        rate = initial
    elif options.learning_rate_decay_type == "exponential":
        decays = tf.floor(done / length)
        rate = initial * options.learning_rate_decay_factor**decays
    else:
        left = 1 - tf.minimum(done, length) / length
        rate = (initial - options.end_learning_rate) * left + options.end_learning_rate
    if options.warmup_epochs:
        warmup_steps = num_examples / batch_size * options.warmup_epochs
        rate = tf.minimum(initial * done / warmup_steps, rate)
    return rate
