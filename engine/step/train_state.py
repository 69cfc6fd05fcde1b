"""Everything that training changes, which is everything that a checkpoint holds."""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from checkpoints.plan import Plan
from checkpoints.restore import RUNNING_AVERAGE
from config.train_config import TrainConfig
from engine.step import optimizers, run_length, schedules, variable_copies
from engine.step.loss_scale import LossScale
from engine.step.moving_average import MovingAverage
from engine.step.starting_points import StartingPoints
from errors import NotFiniteError
from nets.network import Network


class TrainState:
    """A network in training, with its optimizer, step and moving averages.

    Attributes:
      network: the net.
      plan: which of its variables are trained and which are frozen.
      trained: the variables that the optimizer updates, by name.
      global_step: scalar int64 variable, the number of steps done.
      rate_fn: from a step to its learning rate, a float32 scalar; may be replaced
        before the first step.
      optimizer: with slim's formulas.
      moving_average: the moving averages of all variables of the net, or None.
      starting_points: the values that variables are pulled back to, or None.
      loss_scale: for float16, or None.
    """

    def __init__(
        self,
        network: Network,
        plan: Plan,
        config: TrainConfig,
        num_examples: int,
        num_machines: int = 1,
    ) -> None:
        """Makes the variables; call under `strategy.scope()`.

        Args:
          network: the net.
          plan: which of its variables are trained.
          config: the options.
          num_examples: size of the training split, for the schedule.
          num_machines: number of machines that train together, for the schedule.
        """
        self.network = network
        self.plan = plan
        self.trained = {n: network.model_variables[n] for n in plan.trained_names}
        self.global_step = tf.Variable(
            0,
            dtype=tf.int64,
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        length = run_length.of(config, num_examples, num_machines)
        self.rate_fn: Callable[[tf.Tensor], tf.Tensor] = lambda step: (
            schedules.learning_rate(config.schedule, step, length)
        )
        self.optimizer = optimizers.make_optimizer(config.optimizer, self.learning_rate)
        optimizers.scale_rates(self.optimizer, self.trained, plan.rate_factors)
        self._slots = optimizers.create_slots(
            config.optimizer.optimizer, self.optimizer, self.trained
        )
        decay = config.loss.moving_average_decay
        self.moving_average = (
            MovingAverage(network.model_variables, decay) if decay else None
        )
        held = {name: self.trained[name] for name in plan.starting_points}
        pull = config.fine_tune.starting_point_decay
        self.starting_points = StartingPoints(held, pull) if held else None
        needs_scale = network.precision == "mixed_float16"
        self.loss_scale = LossScale() if needs_scale else None

    def learning_rate(self) -> tf.Tensor:
        """The learning rate of the next step, a float32 scalar."""
        return self.rate_fn(tf.convert_to_tensor(self.global_step))

    def named_variables(self) -> dict[str, tf.Variable]:
        """Every variable that a checkpoint holds, by slim's name."""
        shadows = self.moving_average.shadows if self.moving_average else {}
        return {
            **self.network.model_variables,
            **self._slots,
            **shadows,
            **(self.starting_points.points if self.starting_points else {}),
            **(self.loss_scale.named_variables() if self.loss_scale else {}),
            "global_step": self.global_step,
        }

    def arrays(
        self, statistics: Mapping[str, np.ndarray] | None = None
    ) -> dict[str, np.ndarray]:
        """The values of all variables by name, as a checkpoint holds them.

        Args:
          statistics: recomputed batch-norm statistics by variable name. They replace
            the running averages, which are kept as `<name>/RunningAverage`.

        Raises:
          NotFiniteError: a value is not finite.
        """
        variables = self.named_variables().items()
        values = {n: variable_copies.value(v) for n, v in variables}
        for name, value in (statistics or {}).items():
            values[f"{name}/{RUNNING_AVERAGE}"] = values[name]
            values[name] = value
        for name, value in values.items():
            if not np.isfinite(value).all():
                variable = name.removesuffix(f"/{RUNNING_AVERAGE}")
                raise NotFiniteError(
                    f"{variable} is not finite after step {values['global_step']},"
                    f" learning rate {float(self.learning_rate()):g}: lower"
                    " --learning_rate or raise --opt_epsilon"
                )
        return values
