"""Slim's optimizers: TensorFlow 1's formulas, slots under slim's checkpoint names."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from config.training.optimizer_options import OptimizerOptions

_train = tf.compat.v1.train

# Slot of the optimizer to the suffix of its variable's name in a slim checkpoint.
SLOT_SUFFIXES: dict[str, dict[str, str]] = {
    "adadelta": {"accum": "Adadelta", "accum_update": "Adadelta_1"},
    "adagrad": {"accumulator": "Adagrad"},
    "adam": {"m": "Adam", "v": "Adam_1"},
    "ftrl": {"accum": "Ftrl", "linear": "Ftrl_1"},
    "momentum": {"momentum": "Momentum"},
    "sgd": {},
    "rmsprop": {"rms": "RMSProp", "momentum": "RMSProp_1"},
}


class _FtrlOptimizer(tf.compat.v1.train.FtrlOptimizer):
    """TensorFlow's FTRL, the only optimizer that does not accept a callable rate."""

    def __init__(
        self, learning_rate: Callable[[], tf.Tensor], **options: float
    ) -> None:
        super().__init__(learning_rate, **options)
        self._rate_of_step = learning_rate

    def _prepare(self) -> None:
        self._learning_rate = self._rate_of_step()
        super()._prepare()


def make_optimizer(
    options: OptimizerOptions, learning_rate: Callable[[], tf.Tensor]
) -> tf.compat.v1.train.Optimizer:
    """Makes the optimizer that the options name.

    Args:
      options: name and parameters of the optimizer.
      learning_rate: returns the rate of the current step, a float32 scalar; called in
        every step.
    """
    o = options
    makers: dict[str, Callable[[], tf.compat.v1.train.Optimizer]] = {
        "adadelta": lambda: _train.AdadeltaOptimizer(
            learning_rate, rho=o.adadelta_rho, epsilon=o.opt_epsilon
        ),
        "adagrad": lambda: _train.AdagradOptimizer(
            learning_rate,
            initial_accumulator_value=o.adagrad_initial_accumulator_value,
        ),
        "adam": lambda: _train.AdamOptimizer(
            learning_rate, o.adam_beta1, o.adam_beta2, o.opt_epsilon
        ),
        "ftrl": lambda: _FtrlOptimizer(
            learning_rate,
            learning_rate_power=o.ftrl_learning_rate_power,
            initial_accumulator_value=o.ftrl_initial_accumulator_value,
            l1_regularization_strength=o.ftrl_l1,
            l2_regularization_strength=o.ftrl_l2,
        ),
        "momentum": lambda: _train.MomentumOptimizer(learning_rate, o.momentum),
        "sgd": lambda: _train.GradientDescentOptimizer(learning_rate),
        "rmsprop": lambda: _train.RMSPropOptimizer(
            learning_rate,
            decay=o.rmsprop_decay,
            momentum=o.rmsprop_momentum,
            epsilon=o.opt_epsilon,
        ),
    }
    return makers[options.optimizer]()


def scale_rates(
    optimizer: tf.compat.v1.train.Optimizer,
    trained: Mapping[str, tf.Variable],
    factors: Mapping[str, float],
) -> None:
    """Gives individual variables a multiple of the optimizer's learning rate.

    Each variable is updated exactly as by an optimizer with that rate. Scaling its
    gradient would not do, as Adam and RMSProp divide by the gradient's magnitude;
    neither would scaling the update, as FTRL's is not proportional to the rate.

    Args:
      optimizer: from `make_optimizer`.
      trained: the variables that it will update, by name.
      factors: the factors of the learning rate, by variable name; 1 for a missing name.
    """
    if not factors:
        return
    # With several devices, an update is passed the variable of its own device.
    factor_of = {
        id(on_device): factors.get(name, 1.0)
        for name, variable in trained.items()
        for on_device in getattr(variable, "values", [variable])
    }
    # There is no public way to do this in TF1 optimizers: every update reads its rate
    # from this tensor.
    is_short = isinstance(optimizer, (_train.AdamOptimizer, _train.AdadeltaOptimizer))
    attribute = "_lr_t" if is_short else "_learning_rate_tensor"
    apply_dense = optimizer._resource_apply_dense

    def apply_scaled(gradient: tf.Tensor, variable: tf.Variable) -> tf.Operation:
        rate = getattr(optimizer, attribute)
        setattr(optimizer, attribute, rate * factor_of[id(variable)])
        try:
            return apply_dense(gradient, variable)
        finally:
            setattr(optimizer, attribute, rate)

    optimizer._resource_apply_dense = apply_scaled


def create_slots(
    name: str, optimizer: tf.compat.v1.train.Optimizer, trained: dict[str, tf.Variable]
) -> dict[str, tf.Variable]:
    """Creates the optimizer's variables, which it would create in its first step.

    Args:
      name: the name of the optimizer, a key of `SLOT_SUFFIXES`.
      optimizer: from `make_optimizer`.
      trained: the variables that it will update, by name.

    Returns:
      Slots and accumulators by their name in a slim checkpoint.
    """
    # They must exist before the first step so that a resumed run can restore them; TF1
    # optimizers have no public call for that.
    optimizer._create_slots(list(trained.values()))
    named = {
        f"{variable_name}/{suffix}": optimizer.get_slot(variable, slot)
        for slot, suffix in SLOT_SUFFIXES[name].items()
        for variable_name, variable in trained.items()
    }
    if name == "adam":
        powers: Sequence[tf.Variable] = optimizer._get_beta_accumulators()
        named |= dict(zip(("beta1_power", "beta2_power"), powers, strict=True))
    return named


def apply(
    optimizer: tf.compat.v1.train.Optimizer,
    strategy: tf.distribute.Strategy,
    gradients: Sequence[Any],
    trained: Sequence[tf.Variable],
) -> None:
    """Updates variables by gradients that are the same on every replica.

    `apply_gradients` would sum them over the replicas, in a call of its own.

    Args:
      optimizer: as `make_optimizer` gives it, with its slots made.
      strategy: the devices; called outside of its `run`.
      gradients: as `strategy.run` returns them.
      trained: the variables, in the same order.
    """
    extended = strategy.extended
    optimizer._prepare()

    def update(variable: tf.Variable, gradient: tf.Tensor) -> tf.Operation:
        return optimizer._resource_apply_dense(gradient, variable)

    updates = [
        operation
        for variable, gradient in zip(trained, gradients, strict=True)
        for operation in extended.update(
            variable, update, args=(gradient,), group=False
        )
    ]
    extended.update_non_slot(
        extended.non_slot_devices(list(trained)),
        lambda: optimizer._finish(updates, "update"),
        group=False,
    )
