"""The pull back to the starting points, by hand."""

import pytest
import tensorflow as tf

from engine.step import losses
from engine.step.starting_points import StartingPoints


@pytest.fixture
def held():
    return tf.Variable([3.0, 4.0])


def test_the_penalty_is_half_the_square_of_the_way(held):
    points = StartingPoints({"net/w": held}, 0.1)
    assert float(points.penalty()) == 0
    held.assign([4.0, 2.0])
    assert float(points.penalty()) == pytest.approx(0.1 * (1 + 4) / 2)
    assert set(points.points) == {"net/w/StartingPoint"}
    points.follow()
    assert float(points.penalty()) == 0


def test_it_takes_the_place_of_weight_decay(held):
    fresh = tf.Variable([2.0])
    points = StartingPoints({"net/w": held}, 0.1)
    penalty_fn = losses.l2_penalty_fn([held, fresh], [held, fresh], 0.5, points)
    assert float(penalty_fn()) == pytest.approx(0.5 * 4 / 2)
    held.assign([4.0, 4.0])
    with tf.GradientTape() as tape:
        penalty = penalty_fn()
    assert float(penalty) == pytest.approx(0.5 * 4 / 2 + 0.1 * 1 / 2)
    pull, decay = tape.gradient(penalty, [held, fresh])
    assert pull.numpy() == pytest.approx([0.1, 0])
    assert decay.numpy() == pytest.approx([0.5 * 2])
