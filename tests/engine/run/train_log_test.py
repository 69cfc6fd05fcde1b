"""What a log line says, with a clock that the test turns."""

import logging
import math
import time

import pytest
import tensorflow as tf

from common import terminal
from engine.run.train_log import TrainLog


@pytest.fixture
def clock(monkeypatch):
    """Seconds that `time.monotonic` tells, in a list of one."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def totals(steps, loss, rate=0.1):
    """What the training function returns of `steps` steps with this loss."""
    sums = {
        "steps": steps,
        "total_loss": steps * loss,
        "loss": steps * (loss - 0.5),
        "regularization_loss": steps * 0.5,
        "accuracy": steps * 0.25,
        "input_secs": steps * 0.1,
        "learning_rate": rate,
    }
    return {name: tf.constant(float(value)) for name, value in sums.items()}


def add(log, clock, steps, secs, loss=2.0, rate=0.1):
    started_at = clock[0]
    clock[0] += secs
    log.add(totals(steps, loss, rate), started_at)


def test_means_are_over_the_steps_since_the_last_line(clock):
    log = TrainLog(images_per_step=8)
    add(log, clock, 1, 30.0, loss=5.0)
    log.report(1)
    add(log, clock, 1, 0.5, loss=2.0)
    add(log, clock, 3, 1.5, loss=4.0, rate=0.05)
    scalars = log.report(5)
    assert scalars == pytest.approx(
        {
            "total_loss": 3.5,
            "loss": 3.0,
            "regularization_loss": 0.5,
            "accuracy": 0.25,
            "learning_rate": 0.05,
            "global_step/sec": 2.0,
            "images/sec": 16.0,
            "waiting_for_input": 0.2,
        }
    )


def test_compilation_is_left_out_of_the_speed(clock, caplog):
    caplog.set_level(logging.INFO, logger="absl")
    log = TrainLog(images_per_step=8)
    add(log, clock, 1, 30.0)
    assert not any("/sec" in tag for tag in log.report(1))
    assert "first step done, 30.0 s with compilation" in caplog.messages
    assert caplog.messages[-1] == (
        "global step 1: total loss = 2.0000, loss 1.5000, accuracy 0.250, rate 0.1"
    )
    add(log, clock, 4, 1.0)
    log.report(5)
    assert caplog.messages[-1] == (
        "global step 5: total loss = 2.0000 (0.250 sec/step, 32.0 images/s,"
        " waiting for input 40%), loss 1.5000, accuracy 0.250, rate 0.1"
    )


def test_a_line_over_the_first_call_and_more_counts_the_speed_of_the_rest(clock):
    log = TrainLog(images_per_step=8)
    add(log, clock, 1, 30.0)
    add(log, clock, 4, 1.0)
    assert log.report(5)["global_step/sec"] == pytest.approx(4.0)


def test_steps_in_a_time_are_one_until_the_speed_is_known(clock):
    log = TrainLog(images_per_step=8)
    assert log.steps_in(1.0) == 1
    add(log, clock, 1, 30.0)
    assert log.steps_in(1.0) == 1
    add(log, clock, 2, 0.5)
    assert log.steps_in(1.0) == 4
    log.report(3)
    assert log.steps_in(1.0) == 4
    assert log.steps_in(0.01) == 1


def test_nothing_said_is_not_a_number(clock):
    log = TrainLog(images_per_step=8)
    add(log, clock, 1, 30.0)
    assert all(map(math.isfinite, log.report(1).values()))


def test_waiting_that_is_not_measured_is_not_told(clock, caplog):
    caplog.set_level(logging.INFO, logger="absl")
    log = TrainLog(images_per_step=8)
    add(log, clock, 1, 30.0)
    log.report(1)
    clock[0] += 1.0
    untimed = totals(4, 2.0) | {"input_secs": tf.constant(math.nan)}
    log.add(untimed, clock[0] - 1.0)
    assert "waiting_for_input" not in log.report(5)
    assert caplog.messages[-1].endswith(
        "(0.250 sec/step, 32.0 images/s), loss 1.5000, accuracy 0.250, rate 0.1"
    )


def test_lines_come_so_many_seconds_apart_and_the_last_always(clock, caplog):
    caplog.set_level(logging.INFO, logger="absl")
    log = TrainLog(images_per_step=8, last_step=6, secs_between_lines=5.0)
    for step in range(1, 7):
        add(log, clock, 1, 2.0)
        assert log.report(step)["total_loss"] == 2.0, "scalars are never left out"
    steps = [m.split(":")[0] for m in caplog.messages if m.startswith("global")]
    assert steps == ["global step 1", "global step 4", "global step 6"]


@pytest.mark.parametrize(
    ("last_step", "shown"),
    [
        (
            1000,
            "step 105 of 1,000  loss 2.5000  accuracy 0.250  16.0 images/s  7:28 left",
        ),
        (None, "step 105  loss 2.5000  accuracy 0.250  16.0 images/s"),
    ],
)
def test_the_live_line(clock, monkeypatch, last_step, shown):
    lines: list[str] = []
    monkeypatch.setattr(terminal, "show_live", lines.append)
    log = TrainLog(images_per_step=8, step=100, last_step=last_step)
    add(log, clock, 1, 30.0)
    log.report(101)
    add(log, clock, 2, 1.0, loss=2.0)
    add(log, clock, 2, 1.0, loss=4.0)
    assert lines[-1] == shown
