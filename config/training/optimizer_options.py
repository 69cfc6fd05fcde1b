"""The optimizer and its gradients."""

import dataclasses

from config.options import Options, option


@dataclasses.dataclass(frozen=True)
class OptimizerOptions(Options):
    """Optimizer."""

    optimizer: str = option(
        "rmsprop",
        "Optimizer: adadelta, adagrad, adam, ftrl, momentum, sgd or rmsprop, with the"
        " update rules of TensorFlow 1.",
        choices=("adadelta", "adagrad", "adam", "ftrl", "momentum", "sgd", "rmsprop"),
    )
    adadelta_rho: float = option(0.95, "Decay rate of adadelta.", minimum=0, maximum=1)
    adagrad_initial_accumulator_value: float = option(
        0.1, "Initial value of adagrad's accumulators.", above=0
    )
    adam_beta1: float = option(
        0.9, "Decay rate of adam's first-moment estimates.", minimum=0
    )
    adam_beta2: float = option(
        0.999, "Decay rate of adam's second-moment estimates.", minimum=0
    )
    opt_epsilon: float = option(
        1.0,
        "Epsilon of adadelta, adam and rmsprop. slim's default of 1.0 is large: 1e-8"
        " is usual for adam.",
        above=0,
    )
    ftrl_learning_rate_power: float = option(
        -0.5, "Learning-rate power of ftrl.", maximum=0
    )
    ftrl_initial_accumulator_value: float = option(
        0.1, "Initial value of ftrl's accumulators.", minimum=0
    )
    ftrl_l1: float = option(0.0, "L1 regularization strength of ftrl.", minimum=0)
    ftrl_l2: float = option(0.0, "L2 regularization strength of ftrl.", minimum=0)
    momentum: float = option(0.9, "Momentum of the momentum optimizer.", minimum=0)
    clip_gradient_norm: float | None = option(
        None,
        "Clip gradients to this global norm; off by default (not a slim flag).",
        above=0,
    )
    gradient_accumulation_steps: int = option(
        1,
        "Batches whose gradients are averaged into one step: the effect of a batch"
        " this many times larger, in the memory of one (not a slim flag).",
        minimum=1,
    )
    rmsprop_momentum: float = option(0.9, "Momentum of rmsprop.", minimum=0)
    rmsprop_decay: float = option(
        0.9, "Decay rate of rmsprop's mean of squared gradients.", minimum=0, maximum=1
    )
