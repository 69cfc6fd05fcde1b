"""How long a run is, and how its steps divide into epochs."""

import dataclasses
import math

from config.train_config import TrainConfig


@dataclasses.dataclass(frozen=True)
class RunLength:
    """The arithmetic of batches, epochs and steps.

    Attributes:
      num_examples: size of the training split.
      batch_size: images in what schedules count as a step: a clone's batch, as in slim,
        or all images of a step with `--global_batch_size`.
      images_per_step: images per step, over all machines, clones and accumulated
        batches.
      last_step: the step to stop at; None to train until interrupted.
    """

    num_examples: int
    batch_size: int
    images_per_step: int
    last_step: int | None

    def steps_in(self, epochs: float) -> int:
        """Number of steps in which the net sees the split so many times, rounded up."""
        return steps_in(epochs, self.steps_per_epoch)

    @property
    def steps_per_epoch(self) -> float:
        """Number of steps in which the net sees as many images as the split has."""
        return self.num_examples / self.images_per_step


def of(config: TrainConfig, num_examples: int, num_machines: int = 1) -> RunLength:
    """The length of a run, as the options say.

    Args:
      config: the options.
      num_examples: size of the training split.
      num_machines: number of machines that train together.
    """
    run, batch_size = config.run, config.train_data.batch_size
    images_per_step = batch_size * run.num_clones * num_machines
    images_per_step *= config.optimizer.gradient_accumulation_steps
    last_step = run.max_number_of_steps
    if run.max_number_of_epochs:
        steps = steps_in(run.max_number_of_epochs, num_examples / images_per_step)
        last_step = max(1, steps)
    if config.fine_tune.solves_head:
        last_step = 1
    batch_size = config.train_data.global_batch_size or batch_size
    return RunLength(num_examples, batch_size, images_per_step, last_step)


def steps_in(epochs: float, steps_per_epoch: float) -> int:
    """Number of steps in so many epochs, rounded up, but not for a rounding error.

    As floats, 1.1 epochs of 10 steps are 11.000000000000002 steps.
    """
    return math.ceil(epochs * steps_per_epoch - 1e-9)
