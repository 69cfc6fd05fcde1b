"""Every optimizer against TensorFlow 1's, run in a graph as slim runs it."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from config.training.optimizer_options import OptimizerOptions
from engine.step import optimizers

STEPS = 3
RATES = [0.5, 0.3, 0.2]  # falling, as a schedule makes it
NAMES = sorted(optimizers.SLOT_SUFFIXES)
SHAPES = {"net/w": (2, 3), "net/b": (3,)}

OPTIONS: dict[str, dict[str, Any]] = {
    "adadelta": {"adadelta_rho": 0.8, "opt_epsilon": 0.1},
    "adagrad": {"adagrad_initial_accumulator_value": 0.3},
    "adam": {"adam_beta1": 0.7, "adam_beta2": 0.95, "opt_epsilon": 0.01},
    "ftrl": {
        "ftrl_learning_rate_power": -0.6,
        "ftrl_initial_accumulator_value": 0.2,
        "ftrl_l1": 0.01,
        "ftrl_l2": 0.02,
    },
    "momentum": {"momentum": 0.6},
    "rmsprop": {"rmsprop_decay": 0.8, "rmsprop_momentum": 0.7, "opt_epsilon": 0.5},
    "sgd": {},
}


def arrays(seed):
    """One array for each of SHAPES."""
    generator = np.random.default_rng(seed)
    return {
        name: generator.normal(size=shape).astype(np.float32)
        for name, shape in SHAPES.items()
    }


def slims_optimizer(name, rate):
    """What slim's script builds for the flags in OPTIONS."""
    train, o = tf.compat.v1.train, OptimizerOptions(optimizer=name, **OPTIONS[name])
    if name == "adadelta":
        return train.AdadeltaOptimizer(rate, rho=o.adadelta_rho, epsilon=o.opt_epsilon)
    if name == "adagrad":
        return train.AdagradOptimizer(rate, o.adagrad_initial_accumulator_value)
    if name == "adam":
        return train.AdamOptimizer(rate, o.adam_beta1, o.adam_beta2, o.opt_epsilon)
    if name == "ftrl":
        return train.FtrlOptimizer(
            rate,
            o.ftrl_learning_rate_power,
            o.ftrl_initial_accumulator_value,
            o.ftrl_l1,
            o.ftrl_l2,
        )
    if name == "momentum":
        return train.MomentumOptimizer(rate, o.momentum, name="Momentum")
    if name == "rmsprop":
        return train.RMSPropOptimizer(
            rate, o.rmsprop_decay, o.rmsprop_momentum, o.opt_epsilon
        )
    return train.GradientDescentOptimizer(rate)


def slims_values(name):
    """Every variable that a Saver would write after STEPS steps, by its name."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        variables = {n: v1.get_variable(n, initializer=a) for n, a in arrays(0).items()}
        rate = v1.placeholder(tf.float32, [])
        gradients = {n: v1.placeholder(tf.float32, s) for n, s in SHAPES.items()}
        pairs = [(gradients[n], variables[n]) for n in SHAPES]
        update = slims_optimizer(name, rate).apply_gradients(pairs)
        session.run(v1.global_variables_initializer())
        for step in range(STEPS):
            feed = {gradients[n]: g for n, g in arrays(1 + step).items()}
            session.run(update, {**feed, rate: RATES[step]})
        return session.run({v.op.name: v for v in v1.global_variables()})


def our_values(name):
    """The same from the project's optimizer, inside a tf.function."""
    rate = tf.Variable(0.0)
    variables = {n: tf.Variable(a) for n, a in arrays(0).items()}
    optimizer = optimizers.make_optimizer(
        OptimizerOptions(optimizer=name, **OPTIONS[name]),
        lambda: tf.convert_to_tensor(rate),
    )
    slots = optimizers.create_slots(name, optimizer, variables)

    @tf.function
    def update(gradients):
        optimizer.apply_gradients([(gradients[n], variables[n]) for n in SHAPES])

    for step in range(STEPS):
        rate.assign(RATES[step])
        update({n: tf.constant(g) for n, g in arrays(1 + step).items()})
    return {n: v.numpy() for n, v in (variables | slots).items()}


@pytest.mark.parametrize("name", NAMES)
def test_values_and_slots_are_those_of_tensorflow_1_under_slims_names(name):
    expected = slims_values(name)
    ours = our_values(name)
    assert set(ours) == set(expected)
    for variable, value in expected.items():
        np.testing.assert_allclose(
            ours[variable], value, rtol=1e-5, atol=1e-7, err_msg=variable
        )


def rates_of(step):
    """Falling, as a schedule makes it."""
    return 0.5 * 0.9**step


def two_optimizers_values(name, factor, steps):
    """What two hand-made optimizers of TensorFlow make of the two variables."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        variables = {n: v1.get_variable(n, initializer=a) for n, a in arrays(0).items()}
        rate = v1.placeholder(tf.float32, [])
        gradients = {n: v1.placeholder(tf.float32, s) for n, s in SHAPES.items()}
        updates = [
            slims_optimizer(name, rate * of_rate).apply_gradients(
                [(gradients[n], variables[n])]
            )
            for n, of_rate in zip(SHAPES, (factor, 1.0), strict=True)
        ]
        slots = {
            v.op.name: v
            for v in v1.global_variables()
            if v.op.name.startswith(tuple(SHAPES))
        }
        session.run(v1.global_variables_initializer())
        for step in range(steps):
            feed = {gradients[n]: g for n, g in arrays(1 + step).items()}
            session.run(updates, {**feed, rate: rates_of(step)})
        return session.run(slots)


@pytest.mark.parametrize("name", NAMES)
def test_a_factor_is_an_optimizer_of_its_own(name):
    rate, steps = tf.Variable(0.0), 20
    variables = {n: tf.Variable(a) for n, a in arrays(0).items()}
    optimizer = optimizers.make_optimizer(
        OptimizerOptions(optimizer=name, **OPTIONS[name]),
        lambda: tf.convert_to_tensor(rate),
    )
    optimizers.scale_rates(optimizer, variables, {"net/w": 0.1})
    slots = optimizers.create_slots(name, optimizer, variables)

    @tf.function
    def update(gradients):
        optimizer.apply_gradients([(gradients[n], variables[n]) for n in SHAPES])

    for step in range(steps):
        rate.assign(rates_of(step))
        update({n: tf.constant(g) for n, g in arrays(1 + step).items()})
    expected = two_optimizers_values(name, 0.1, steps)
    ours = {n: v.numpy() for n, v in (variables | slots).items()}
    assert set(expected) == {n for n in ours if n.startswith("net/")}
    for variable, value in expected.items():
        np.testing.assert_allclose(ours[variable], value, atol=1e-6, err_msg=variable)
    unscaled = two_optimizers_values(name, 1.0, steps)
    assert np.abs(unscaled["net/w"] - ours["net/w"]).max() > 1e-3


def test_slot_names_of_rmsprop_and_adam():
    w = {"w": tf.Variable([1.0])}

    def slot_names(name):
        optimizer = optimizers.make_optimizer(
            OptimizerOptions(optimizer=name), lambda: tf.constant(0.1)
        )
        return set(optimizers.create_slots(name, optimizer, w))

    assert slot_names("rmsprop") == {"w/RMSProp", "w/RMSProp_1"}
    assert slot_names("adam") == {"w/Adam", "w/Adam_1", "beta1_power", "beta2_power"}


def test_rmsprop_starts_its_mean_square_at_one_with_epsilon_in_the_root():
    """One step by hand: m = .9*1 + .1*g², v = rate*g/√(m + ε), w -= v."""
    variables = {"w": tf.Variable([2.0])}
    optimizer = optimizers.make_optimizer(
        OptimizerOptions(optimizer="rmsprop", opt_epsilon=0.6), lambda: tf.constant(0.1)
    )
    slots = optimizers.create_slots("rmsprop", optimizer, variables)
    optimizer.apply_gradients([(tf.constant([3.0]), variables["w"])])
    mean_square = 0.9 * 1 + 0.1 * 9
    velocity = 0.1 * 3 / np.sqrt(mean_square + 0.6)
    assert slots["w/RMSProp"].numpy() == pytest.approx([mean_square])
    assert slots["w/RMSProp_1"].numpy() == pytest.approx([velocity])
    assert variables["w"].numpy() == pytest.approx([2 - velocity])


def test_every_choice_of_the_flag_has_its_slots():
    field = OptimizerOptions.__dataclass_fields__["optimizer"]
    assert set(field.metadata["choices"]) == set(optimizers.SLOT_SUFFIXES)
