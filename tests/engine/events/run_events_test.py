"""Event files of the finished run, and of none."""

import dataclasses
import logging
import os

import tensorflow as tf

from checkpoints import run_info
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


def scalars_of(folder, by_tag):
    """Writes scalars, by tag lists of (step, value)."""
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        for tag, points in by_tag.items():
            for step, value in points:
                tf.summary.scalar(tag, value, step)
    writer.close()
    return run_events.read(str(folder / "model.ckpt")).charts


def test_a_run_begun_by_an_older_release_has_one_curve(tmp_path):
    scalars = {
        "total_loss": [(1, 9.0), (2, 8.0), (3, 7.0)],
        "loss": [(1, 4.0), (2, 3.0)],
        "curves/loss": [(2, 2.5), (3, 2.0)],  # resumed at step 1
    }
    charts = scalars_of(tmp_path, scalars)
    assert charts == {"loss": [Curve("training", (1, 2, 3), (4.0, 2.5, 2.0))]}


def test_a_copy_has_the_events_of_its_origin_while_they_are_there(full_run, tmp_path):
    run = run_info.read(str(full_run))
    assert run is not None
    copied_from = os.path.relpath(full_run / "best", tmp_path)
    dataclasses.replace(run, copied_from=copied_from).write(str(tmp_path))
    events = run_events.read(str(tmp_path / "model.ckpt-6"))
    assert events == run_events.read(str(full_run / "model.ckpt-6"))
    dataclasses.replace(run, copied_from="../gone/best").write(str(tmp_path))
    assert run_events.read(str(tmp_path / "model.ckpt-6")) == RunEvents({}, None)


def test_a_run_of_slim_has_its_total_loss(tmp_path):
    charts = scalars_of(tmp_path, {"total_loss": [(1, 9.0), (2, 8.0)]})
    assert charts == {"loss": [Curve("training", (1, 2), (9.0, 8.0))]}


def test_a_solved_head_has_points_and_no_curve():
    points = [Curve("training", (1,), (0.5,)), Curve("validation", (1,), (0.25,))]
    assert RunEvents({"accuracy": points}, None).is_single_step
    assert not RunEvents({}, None).is_single_step


def test_a_published_checkpoint_has_none(tmp_path):
    events = run_events.read(str(tmp_path / "published" / "model.ckpt"))
    assert events.charts == {}
    assert events.plan is None
