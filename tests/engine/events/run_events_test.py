"""Event files of the finished run, and of none."""

import logging

from engine.events import run_events
from engine.events.run_events import Curve, RunEvents


def test_curves_and_plan_of_a_run(full_run, caplog):
    caplog.set_level(logging.INFO)
    events = run_events.read(str(full_run / "model.ckpt-6"))
    assert list(events.charts) == ["loss", "accuracy", "learning rate"]
    training, validation = events.charts["accuracy"]
    assert (training.name, training.steps) == ("training", (3, 6))
    assert (validation.name, validation.steps) == ("validation", (2, 4, 6))
    assert all(0 <= value <= 1 for value in training.values + validation.values)
    (rate,) = events.charts["learning rate"]
    assert rate.values[0] > 0
    assert events.plan is not None
    assert events.plan.startswith("plan (no checkpoint")
    assert "| Tiny/Logits |" in events.plan

    best = run_events.read(str(full_run / "best" / "model.ckpt-6"))
    assert best == events
    assert not caplog.text  # what TensorBoard has to say
    assert not events.is_single_step


def test_a_solved_head_has_points_and_no_curve():
    points = [Curve("training", (1,), (0.5,)), Curve("validation", (1,), (0.25,))]
    assert RunEvents({"accuracy": points}, None).is_single_step
    assert not RunEvents({}, None).is_single_step


def test_a_published_checkpoint_has_none(tmp_path):
    events = run_events.read(str(tmp_path / "published" / "model.ckpt"))
    assert events.charts == {}
    assert events.plan is None
