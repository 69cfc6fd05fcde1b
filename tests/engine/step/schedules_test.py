"""Learning rates: numbers worked by hand, and TensorFlow 1's own schedules."""

import numpy as np
import pytest
import tensorflow as tf

from config.training.schedule_options import ScheduleOptions
from engine.step import schedules
from engine.step.run_length import RunLength
from errors import UserError

# 100 images in batches of 10: 10 steps an epoch.
IMAGES, BATCH = 100, 10


def rates(
    options,
    steps,
    num_examples=IMAGES,
    batch_size=BATCH,
    images_per_step=BATCH,
    last_step=None,
):
    """The rate of each of the steps."""
    length = RunLength(num_examples, batch_size, images_per_step, last_step)
    return [
        float(schedules.learning_rate(options, tf.constant(s), length)) for s in steps
    ]


def test_fixed_never_changes():
    options = ScheduleOptions(learning_rate_decay_type="fixed", learning_rate=0.3)
    assert rates(options, [0, 1, 10**6]) == pytest.approx([0.3] * 3)


def test_exponential_is_a_staircase():
    options = ScheduleOptions(
        learning_rate=0.8, learning_rate_decay_factor=0.5, num_epochs_per_decay=2
    )
    # Two epochs are 20 steps: halved at step 20 and at step 40, not between.
    assert rates(options, [0, 19, 20, 39, 40]) == pytest.approx(
        [0.8, 0.8, 0.4, 0.4, 0.2]
    )


def test_polynomial_is_a_line_that_ends_at_the_end_rate():
    options = ScheduleOptions(
        learning_rate_decay_type="polynomial",
        learning_rate=1.0,
        end_learning_rate=0.2,
        num_epochs_per_decay=2,
    )
    # A quarter of the way from 1.0 to 0.2 at step 5, and flat after step 20.
    assert rates(options, [0, 5, 10, 20, 50]) == pytest.approx(
        [1.0, 0.8, 0.6, 0.2, 0.2]
    )


def test_cosine_ends_with_the_run():
    options = ScheduleOptions(
        learning_rate_decay_type="cosine", learning_rate=1.0, end_learning_rate=0.2
    )
    # cos(π/3) = 1/2: a quarter of the way down after a third of the 30 steps.
    found = rates(options, [0, 10, 15, 20, 30, 99], last_step=30)
    assert found == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2, 0.2])


def test_piecewise_decays_at_the_first_step_after_each_epoch():
    options = ScheduleOptions(
        learning_rate_decay_type="piecewise",
        learning_rate=0.8,
        learning_rate_decay_factor=0.5,
        learning_rate_decay_epochs="1, 2.5",
    )
    assert rates(options, [0, 9, 10, 24, 25, 99]) == pytest.approx(
        [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]
    )
    # On three clones step 3 is of images 90 to 119, and epoch 1 ends within it.
    on_clones = rates(options, [2, 3, 4, 8, 9], images_per_step=30)
    assert on_clones == pytest.approx([0.8, 0.8, 0.4, 0.4, 0.2])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"learning_rate_decay_type": "fixed"}, "0.01, fixed"),
        ({}, "0.01, × 0.94 every 20 steps"),
        ({"learning_rate_decay_type": "polynomial"}, "0.01, down to 0.0001 at step 20"),
        (
            {"learning_rate_decay_type": "cosine"},
            "0.01, down to 0 at step 30, by half a cosine",
        ),
        (
            {
                "learning_rate_decay_type": "piecewise",
                "learning_rate_decay_epochs": "1,2",
                "learning_rate_decay_factor": 0.1,
            },
            "0.01, × 0.1 after step 10, 20",
        ),
    ],
)
def test_the_log_says_where_the_rate_goes(options, said):
    length = RunLength(IMAGES, BATCH, BATCH, last_step=30)
    assert schedules.as_text(ScheduleOptions(**options), length) == said


@pytest.mark.parametrize(
    ("epochs", "steps"), [(1, 10), (1.1, 11), (2.2, 22), (1.11, 12), (0.01, 1), (0, 0)]
)
def test_steps_of_epochs_are_rounded_up_but_not_for_a_rounding_error(epochs, steps):
    """1.1 × 100 images is 110.00000000000001 in floats."""
    length = RunLength(100, batch_size=10, images_per_step=10, last_step=None)
    assert length.steps_in(epochs) == steps


@pytest.mark.parametrize("decay_type", ["fixed", "exponential", "polynomial"])
def test_warmup_rises_from_zero_to_the_schedule(decay_type):
    options = ScheduleOptions(
        learning_rate_decay_type=decay_type, learning_rate=0.8, warmup_epochs=0.5
    )
    unwarmed = ScheduleOptions(
        learning_rate_decay_type=decay_type, learning_rate=0.8, warmup_epochs=0
    )
    # Half an epoch is 5 steps; the schedule itself is not shifted.
    assert rates(options, [0, 1, 4]) == pytest.approx([0.0, 0.16, 0.64])
    assert rates(options, [7, 25]) == rates(unwarmed, [7, 25])


def test_the_schedule_caps_the_warmup():
    options = ScheduleOptions(
        learning_rate=1.0,
        learning_rate_decay_factor=0.5,
        num_epochs_per_decay=1,
        warmup_epochs=2,
    )
    # Step 15 of 20: the ramp is at 0.75, the staircase has come down to 0.5.
    assert rates(options, [15]) == pytest.approx([0.5])


@pytest.mark.parametrize(
    ("num_examples", "batch_size", "epochs", "steps"),
    [
        (3320, 32, 2.0, 207),  # the flowers data with slim's defaults: 103.75 an epoch
        (100, 32, 1.0, 3),
        (100, 100, 1.0, 1),
        (23, 10, 2.5, 5),
    ],
)
def test_decay_steps_are_cut_to_an_integer(num_examples, batch_size, epochs, steps):
    options = ScheduleOptions(num_epochs_per_decay=epochs)
    assert schedules.decay_steps(options, num_examples, batch_size) == steps


@pytest.mark.parametrize("decay_type", ["exponential", "polynomial"])
def test_a_decay_shorter_than_a_step_is_refused(decay_type):
    options = ScheduleOptions(
        learning_rate_decay_type=decay_type, num_epochs_per_decay=0.1
    )
    with pytest.raises(UserError, match=r"--num_epochs_per_decay=0\.1.*6 images"):
        schedules.decay_steps(options, 6, 32)


def test_a_fixed_rate_needs_no_decay_steps():
    options = ScheduleOptions(learning_rate_decay_type="fixed", learning_rate=0.3)
    assert rates(options, [0, 7], num_examples=2, batch_size=32) == pytest.approx(
        [0.3, 0.3]
    )


@pytest.mark.parametrize("decay_type", ["exponential", "polynomial"])
def test_every_step_is_as_in_tensorflow_1(decay_type):
    options = ScheduleOptions(
        learning_rate_decay_type=decay_type,
        learning_rate=0.045,
        end_learning_rate=0.003,
        learning_rate_decay_factor=0.93,
        num_epochs_per_decay=1.7,
    )
    steps = np.arange(60)
    length = schedules.decay_steps(options, IMAGES, BATCH)
    train = tf.compat.v1.train
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        step = tf.compat.v1.placeholder(tf.int64, [])
        rate = (
            train.exponential_decay(0.045, step, length, 0.93, staircase=True)
            if decay_type == "exponential"
            else train.polynomial_decay(0.045, step, length, 0.003)
        )
        expected = [session.run(rate, {step: s}) for s in steps]
    np.testing.assert_allclose(rates(options, steps), expected, rtol=1e-6)
