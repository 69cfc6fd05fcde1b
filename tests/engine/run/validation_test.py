"""The best evaluation and the end of patience, on scores made up by hand."""

import dataclasses
import json
import logging
from types import SimpleNamespace
from typing import cast

import pytest
import tensorflow as tf

from checkpoints import model_info
from checkpoints.model_info import ModelInfo
from datasets.dataset import Dataset
from engine.batch_norm.batch_norm_lag import Lag
from engine.batch_norm.recomputation import Recomputation
from engine.evaluation.evaluation import Evaluator
from engine.run.validation import Score, Validation, best_of, evaluations_since_best
from engine.step.moving_average import MovingAverage
from errors import UserError
from tests.engine import small_runs

INFO = ModelInfo(
    model_name="tiny",
    image_size=16,
    use_grayscale=False,
    preprocessing_name="inception",
    labels_offset=0,
    dataset_name="colours",
    num_classes=3,
    class_names=None,
)


NO_LAG = Lag(num_batch_norms=0, decay=0.0)


def test_the_best_has_the_highest_accuracy():
    history = [Score(1, 0.5, 0.1), Score(2, 0.7, 9.0), Score(3, 0.6, 0.1)]
    assert best_of(history).step == 2
    assert evaluations_since_best(history) == 1


def test_of_equal_accuracies_the_lowest_loss_wins_and_then_the_first():
    history = [Score(1, 0.7, 0.3), Score(2, 0.7, 0.2), Score(3, 0.7, 0.2)]
    assert best_of(history).step == 2


class _State:
    """A state of one variable, whose value is 100 times the step."""

    def __init__(self, *, averaged=False):
        self.weight = tf.Variable(0.0)
        self.global_step = tf.Variable(0, dtype=tf.int64)
        self.network = SimpleNamespace(model_variables={"w": self.weight})
        self.moving_average = None
        if averaged:
            self.moving_average = MovingAverage({"w": self.weight}, 0.9)

    def set_step(self, step):
        self.global_step.assign(step)
        self.weight.assign(100.0 * step)

    def arrays(self, statistics):
        return {
            "w": self.weight.numpy(),
            "global_step": self.global_step.numpy(),
            **statistics,
        }


@pytest.fixture
def state():
    return _State()


def make_dataset(split_name="validation", fingerprint="0123"):
    empty = Dataset("colours", split_name, "", (), 0, 3, None, ())
    return dataclasses.replace(empty, fingerprint=fingerprint)


def make_validation(
    state,
    tmp_path,
    writer,
    scores,
    patience=None,
    dataset=None,
    secs_between_lines=0.0,
):
    """A validation whose evaluator gives these (accuracy, loss) in turn."""
    turns = iter(scores)

    def run():
        accuracy, loss = next(turns)
        return SimpleNamespace(accuracy=accuracy, loss=loss)

    return Validation(
        state,
        cast(Evaluator, SimpleNamespace(run=run)),
        Recomputation(state, NO_LAG, "auto", lambda step: list),
        writer,
        train_dir=str(tmp_path),
        info=INFO,
        dataset=dataset or make_dataset(),
        every_n_steps=10,
        patience=patience,
        secs_between_lines=secs_between_lines,
    )


def run_at(validation, state, *steps):
    for step in steps:
        state.set_step(step)
        validation.run()


def test_lines_come_so_many_seconds_apart_and_the_last_always(
    state, tmp_path, at_once, caplog, monkeypatch
):
    caplog.set_level(logging.INFO, logger="absl")
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    scores = [(0.5, 1.0), (0.6, 1.0), (0.55, 1.0), (0.4, 1.0)]
    validation = make_validation(
        state, tmp_path, at_once, scores, secs_between_lines=5.0
    )
    for step, secs in ((10, 0.0), (20, 4.0), (30, 2.0), (40, 1.0)):
        now[0] += secs
        state.set_step(step)
        validation.run(is_last=step == 40)
    lines = [m for m in caplog.messages if m.startswith("validation")]
    assert [line.split(":")[0] for line in lines] == [
        f"validation at step {step}" for step in (10, 30, 40)
    ]
    assert lines[1].endswith("accuracy 0.5500, loss 1.0000 (best: 0.6000 at step 20)")


def test_the_best_checkpoint_alone_is_kept(state, tmp_path, at_once):
    validation = make_validation(
        state, tmp_path, at_once, [(0.2, 1), (0.6, 1), (0.4, 1)]
    )
    run_at(validation, state, 10, 20, 30)
    assert small_runs.steps_saved(tmp_path / "best") == [20]
    assert small_runs.read_all(tmp_path / "best", 20) == {"w": 2000, "global_step": 20}
    assert model_info.read(str(tmp_path / "best")) == INFO


def test_patience_counts_evaluations_after_the_best(state, tmp_path, at_once):
    scores = [(0.2, 1), (0.6, 1), (0.6, 2), (0.1, 1)]
    validation = make_validation(state, tmp_path, at_once, scores, patience=2)
    assert not validation.should_stop
    run_at(validation, state, 10, 20, 30)
    assert not validation.should_stop
    run_at(validation, state, 40)
    assert validation.should_stop
    assert validation.best_as_text() == (
        f"best accuracy 0.6000 at step 20, kept in {tmp_path / 'best'}"
    )


def test_without_patience_it_never_stops(state, tmp_path, at_once):
    validation = make_validation(state, tmp_path, at_once, [(0.9, 1)] + [(0.1, 1)] * 5)
    run_at(validation, state, 10, 20, 30, 40, 50, 60)
    assert not validation.should_stop


def test_it_is_due_every_n_steps(state, tmp_path, at_once):
    validation = make_validation(state, tmp_path, at_once, [])
    assert [s for s in range(1, 31) if validation.is_due(s)] == [10, 20, 30]


def test_the_history_survives_a_resume(state, tmp_path, at_once):
    first = make_validation(state, tmp_path, at_once, [(0.8, 1), (0.3, 1)])
    run_at(first, state, 10, 20)
    resumed = make_validation(state, tmp_path, at_once, [(0.5, 1)], patience=2)
    run_at(resumed, state, 30)
    assert small_runs.steps_saved(tmp_path / "best") == [10]
    assert resumed.should_stop


def test_scores_beyond_the_step_resumed_from_are_forgotten(state, tmp_path, at_once):
    first = make_validation(state, tmp_path, at_once, [(0.3, 1), (0.8, 1)])
    run_at(first, state, 10, 20)
    state.set_step(15)  # killed before the checkpoint of step 20
    resumed = make_validation(state, tmp_path, at_once, [(0.5, 1)])
    run_at(resumed, state, 20)
    history = json.loads((tmp_path / "best" / "evaluations.json").read_text())
    assert [(s["step"], s["accuracy"]) for s in history] == [(10, 0.3), (20, 0.5)]
    assert small_runs.read_all(tmp_path / "best", 20)["w"] == 2000


def test_a_second_evaluation_of_a_step_replaces_the_first(state, tmp_path, at_once):
    validation = make_validation(
        state, tmp_path, at_once, [(0.3, 1), (0.3, 1)], patience=1
    )
    run_at(validation, state, 10, 10)
    assert not validation.should_stop


@pytest.mark.parametrize("damage", ["[{", '[{"step": 1}]', "[3]", '{"a": 1}', ""])
def test_a_damaged_history_is_one_line_that_names_the_file(
    state, tmp_path, damage, at_once
):
    path = tmp_path / "best" / "evaluations.json"
    path.parent.mkdir()
    path.write_text(damage)
    with pytest.raises(UserError, match=r"evaluations\.json is damaged") as raised:
        make_validation(state, tmp_path, at_once, [])
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_averages_are_evaluated_and_the_weights_saved(
    tmp_path, monkeypatch, at_once
):
    state = _State(averaged=True)
    validation = make_validation(state, tmp_path, at_once, [(0.5, 1)])
    seen = []
    evaluate = validation._evaluator.run

    def look_and_evaluate():
        seen.append(float(state.weight.numpy()))
        return evaluate()

    monkeypatch.setattr(validation._evaluator, "run", look_and_evaluate)
    run_at(validation, state, 10)
    assert seen == [0.0]  # the shadow, not 1000
    assert small_runs.read_all(tmp_path / "best", 10)["w"] == 1000


def test_the_file_of_scores_appears_whole(state, tmp_path, monkeypatch, at_once):
    validation = make_validation(state, tmp_path, at_once, [(0.3, 1), (0.5, 1)])
    run_at(validation, state, 10)
    path = tmp_path / "best" / "evaluations.json"
    before = path.read_text()

    def full_disk(scores, file):
        file.write("[")
        raise OSError("no space left")

    monkeypatch.setattr(json, "dump", full_disk)
    with pytest.raises(OSError, match="no space"):
        run_at(validation, state, 20)
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("dataset", "says"),
    [
        (make_dataset("test"), r"on split 'validation', .*current split 'test'"),
        (
            make_dataset(fingerprint="4567"),
            r"version of split 'validation' \(another fing",
        ),
    ],
)
def test_the_best_of_another_split_is_not_compared(
    state, tmp_path, at_once, dataset, says
):
    first = make_validation(state, tmp_path, at_once, [(0.8, 1)])
    run_at(first, state, 10)
    with pytest.raises(UserError, match=says) as raised:
        make_validation(state, tmp_path, at_once, [], dataset=dataset)
    assert "\n" not in str(raised.value)
    (score,) = json.loads((tmp_path / "best" / "evaluations.json").read_text())
    assert score["split_name"] == "validation"
    assert score["data_fingerprint"] == "0123"


def test_scores_of_an_older_release_say_no_split_and_go_on(state, tmp_path, at_once):
    path = tmp_path / "best" / "evaluations.json"
    run_at(make_validation(state, tmp_path, at_once, [(0.5, 1)]), state, 5)
    path.write_text('[{"step": 5, "accuracy": 0.5, "loss": 1.0}]')
    validation = make_validation(state, tmp_path, at_once, [(0.4, 1)], patience=1)
    run_at(validation, state, 10)
    assert validation.should_stop


def test_a_best_checkpoint_that_was_deleted_is_chosen_anew(
    state, tmp_path, at_once, caplog
):
    run_at(make_validation(state, tmp_path, at_once, [(0.9, 1)]), state, 10)
    for path in (tmp_path / "best").glob("model.ckpt-10.*"):
        path.unlink()
    resumed = make_validation(state, tmp_path, at_once, [(0.2, 1)])
    assert "best checkpoint so far, of step 10, is no longer in" in caplog.text
    run_at(resumed, state, 20)
    assert small_runs.steps_saved(tmp_path / "best") == [20]
    assert resumed.best_as_text().startswith("best accuracy 0.2000 at step 20, kept")


def test_a_best_checkpoint_that_is_gone_is_not_called_kept(state, tmp_path, at_once):
    validation = make_validation(state, tmp_path, at_once, [(0.9, 1)])
    run_at(validation, state, 10)
    (tmp_path / "best" / "model.ckpt-10.index").unlink()
    assert "which is no longer in" in validation.best_as_text()


def test_a_best_checkpoint_beyond_the_step_resumed_from_is_not_missed(
    state, tmp_path, at_once, caplog
):
    """The run was killed between its best checkpoint and its own: it comes again."""
    run_at(
        make_validation(state, tmp_path, at_once, [(0.5, 1), (0.9, 1)]), state, 10, 20
    )
    state.set_step(15)
    caplog.clear()
    resumed = make_validation(state, tmp_path, at_once, [(0.9, 1)])
    assert not caplog.text
    run_at(resumed, state, 20)
    assert [
        s["step"]
        for s in json.loads((tmp_path / "best" / "evaluations.json").read_text())
    ] == [10, 20]
