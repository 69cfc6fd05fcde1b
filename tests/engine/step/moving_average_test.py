"""Moving averages, by hand and against TensorFlow 1's."""

import numpy as np
import pytest
import tensorflow as tf

from engine.step.moving_average import MovingAverage


@pytest.fixture
def variable():
    return tf.Variable([1.0, 2.0])


@pytest.fixture
def average(variable):
    return MovingAverage({"net/w": variable}, decay=0.5)


def shadow(average):
    return average.shadows["net/w/ExponentialMovingAverage"].numpy().tolist()


def test_shadows_have_slims_names_and_start_equal(average):
    assert list(average.shadows) == ["net/w/ExponentialMovingAverage"]
    assert shadow(average) == [1.0, 2.0]


def test_early_steps_forget_faster_than_the_decay(average, variable):
    variable.assign([11.0, 2.0])
    # Step 0: d = min(0.5, 1/10), so the shadow goes 0.9 of the way from 1 to 11.
    average.update(tf.constant(0, tf.int64))
    assert shadow(average) == pytest.approx([10.0, 2.0])


def test_late_steps_use_the_decay(average, variable):
    variable.assign([11.0, 2.0])
    # Step 8 is the first with (1 + t) / (10 + t) = 0.5; from there d = 0.5.
    average.update(tf.constant(8, tf.int64))
    assert shadow(average) == pytest.approx([6.0, 2.0])
    average.update(tf.constant(1000, tf.int64))
    assert shadow(average) == pytest.approx([8.5, 2.0])


def test_follow_makes_the_shadow_equal(average, variable):
    variable.assign([7.0, 8.0])
    average.follow()
    assert shadow(average) == [7.0, 8.0]


def test_in_place_swaps_and_puts_back(average, variable):
    variable.assign([7.0, 8.0])
    with average.in_place():
        assert variable.numpy().tolist() == [1.0, 2.0]
    assert variable.numpy().tolist() == [7.0, 8.0]
    assert shadow(average) == [1.0, 2.0]


def test_in_place_puts_back_after_an_error(average, variable):
    variable.assign([7.0, 8.0])
    with pytest.raises(ZeroDivisionError), average.in_place():
        raise ZeroDivisionError
    assert variable.numpy().tolist() == [7.0, 8.0]


def test_a_run_of_steps_is_as_in_tensorflow_1():
    decay, steps = 0.9, 30
    values = np.random.default_rng(0).normal(size=(steps, 3)).astype(np.float32)
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        variable = v1.get_variable("net/w", initializer=np.zeros(3, np.float32))
        step = v1.placeholder(tf.int64, [])
        ema = tf.train.ExponentialMovingAverage(decay, num_updates=step)
        update = ema.apply([variable])
        name, shadow_variable = ema.average_name(variable), ema.average(variable)
        session.run(v1.global_variables_initializer())
        for t in range(steps):
            variable.load(values[t], session)
            session.run(update, {step: t})
        expected = session.run(shadow_variable)

    ours = tf.Variable(np.zeros(3, np.float32))
    average = MovingAverage({"net/w": ours}, decay)
    for t in range(steps):
        ours.assign(values[t])
        average.update(tf.constant(t, tf.int64))
    np.testing.assert_allclose(average.shadows[name].numpy(), expected, rtol=1e-5)
