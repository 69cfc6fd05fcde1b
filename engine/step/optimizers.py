"""Slim's optimizers: TensorFlow 1's formulas, slots under slim's checkpoint names."""

from collections.abc import Callable, Mapping, Sequence

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
    """TensorFlow's, which alone of them does not call its rate."""

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
    """The optimizer that the options name.

    Args:
      options: its name and parameters.
      learning_rate: called in every step for its rate, a float32 scalar.
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
    """Gives some variables a learning rate of their own: a multiple of the optimizer's.

    Each update is what an optimizer of its own would do that has that rate. Factors on
    gradients would not do: Adam and RMSProp divide by the gradients' size. Factors on
    updates would not either: FTRL's is not proportional to its rate.

    Args:
      optimizer: as `make_optimizer` gives it.
      trained: variables that it will change, by name.
      factors: by name; 1 where none is given.
    """
    if not factors:
        return
    # On several devices an update gets the variable of its device.
    factor_of = {
        id(on_device): factors.get(name, 1.0)
        for name, variable in trained.items()
        for on_device in getattr(variable, "values", [variable])
    }
    # TF1 optimizers have no public way to it: this tensor is what each update reads.
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
    """Makes the optimizer's own variables, which it would make in its first step.

    Args:
      name: which optimizer it is, a key of `SLOT_SUFFIXES`.
      optimizer: as `make_optimizer` gives it.
      trained: variables that it will change, by name.

    Returns:
      Slots and accumulators by their name in a slim checkpoint.
    """
    # Created now, not while the first step is traced, so that a resumed run can fill
    # them; TF1 optimizers have no public call for that.
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
