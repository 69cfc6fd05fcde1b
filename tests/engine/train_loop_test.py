"""Whole runs of the small net: to the end, interrupted, resumed, refused."""

import itertools
import logging
import os
import shutil
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from config.shared_options import ModelOptions
from engine import devices, train_loop
from engine.run import saver, train_setup
from engine.run.train_log import TrainLog
from errors import NotFiniteError, UserError
from tests.engine import coloured_images, small_runs

pytestmark = pytest.mark.filterwarnings("ignore:`layer:UserWarning")


@pytest.fixture
def said(caplog):
    """A function: all that was logged, in one string."""
    caplog.set_level(logging.INFO, logger="absl")
    return lambda: "\n".join(caplog.messages)


@pytest.fixture
def copied_run(full_run, tmp_path):
    """A copy of the full run to continue."""
    return shutil.copytree(full_run, tmp_path / "copy")


def tree(folder):
    """Every file of a folder with its time and size."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in files}


def test_a_run_leaves_its_checkpoint_and_the_best_one(full_run):
    assert small_runs.steps_saved(full_run) == [6]
    assert len(small_runs.steps_saved(full_run / "best")) == 1
    assert (full_run / "checkpoint").exists()
    saved = small_runs.read_all(full_run, 6)
    assert saved["global_step"] == 6
    for name in ("Tiny/Logits/weights", "Tiny/Conv2d_2/BatchNorm/moving_mean"):
        average = saved[f"{name}/ExponentialMovingAverage"]
        assert not np.array_equal(average, saved[name])


def test_an_interrupted_run_resumes_to_the_same_bytes(
    full_run, full_run_flags, tmp_path, monkeypatch, said
):
    with monkeypatch.context() as patch:
        report = TrainLog.report

        def report_and_terminate(log, step):
            os.kill(os.getpid(), signal.SIGTERM)
            return report(log, step)

        patch.setattr(TrainLog, "report", report_and_terminate)
        status = small_runs.train(train_dir=tmp_path, **full_run_flags)
    assert status == 128 + signal.SIGTERM
    assert small_runs.steps_saved(tmp_path) == [3]

    assert small_runs.train(train_dir=tmp_path, **full_run_flags) == 0
    assert f"resuming from {tmp_path}/model.ckpt-3" in said()
    uninterrupted = small_runs.read_all(full_run, 6)
    resumed = small_runs.read_all(tmp_path, 6)
    assert set(resumed) == set(uninterrupted)
    for name, value in uninterrupted.items():
        assert resumed[name].tobytes() == value.tobytes(), name
    histories = [
        folder / "best" / "evaluations.json" for folder in (full_run, tmp_path)
    ]
    assert histories[0].read_text() == histories[1].read_text()


def test_a_signal_in_the_last_step_is_the_status_of_the_finished_run(
    full_run_flags, tmp_path, monkeypatch
):
    report = TrainLog.report

    def report_and_interrupt(log, step):
        if step == 6:
            os.kill(os.getpid(), signal.SIGINT)
        return report(log, step)

    monkeypatch.setattr(TrainLog, "report", report_and_interrupt)
    status = small_runs.train(train_dir=tmp_path, **full_run_flags)
    assert status == 128 + signal.SIGINT  # else fine_tune.py would start its next stage
    assert small_runs.steps_saved(tmp_path)[-1] == 6


def test_no_function_is_traced_twice(full_run_flags, tmp_path, monkeypatch):
    functions = []
    make_function = tf.function

    def noted_function(*args, **kwargs):
        functions.append(make_function(*args, **kwargs))
        return functions[-1]

    monkeypatch.setattr(tf, "function", noted_function)
    assert small_runs.train(train_dir=tmp_path, **full_run_flags) == 0
    counts = [f.experimental_get_tracing_count() for f in functions]
    # Of a run: the loading of an image, a step, an evaluation.
    assert counts == [1, 1, 1]


def test_a_finished_run_stops_at_once(full_run, full_run_flags, said):
    before = tree(full_run)
    assert small_runs.train(train_dir=full_run, **full_run_flags) == 0
    assert "nothing to do: step 6 is already done" in said()
    assert tree(full_run) == before


def test_a_dry_run_prints_the_plan_and_writes_nothing(
    full_run_flags, tmp_path, capsys, said
):
    train_dir = tmp_path / "run"
    status = small_runs.train(train_dir=train_dir, dry_run=True, **full_run_flags)
    assert status == 0
    assert not train_dir.exists()
    printed = capsys.readouterr().out
    assert "no checkpoint, all weights are random" in printed
    assert "Tiny/Conv2d_1" in printed
    assert "training to step 6 = 2.0 epochs" in said()


def test_a_loss_that_is_not_finite_ends_the_run_and_saves_nothing(
    copied_run, full_run_flags
):
    flags = full_run_flags | {"max_number_of_steps": 20, "learning_rate": 1e30}
    with pytest.raises(NotFiniteError) as raised:
        small_runs.train(train_dir=copied_run, **flags)
    assert raised.value.exit_status == 3
    message = str(raised.value)
    assert "\n" not in message
    assert " step " in message
    assert "learning rate 1e+30" in message
    assert message.endswith(f"the last good checkpoint is {copied_run}/model.ckpt-6")
    assert small_runs.steps_saved(copied_run) == [6]


def test_another_optimizer_continues_and_the_last_five_are_kept(
    copied_run, full_run, full_run_flags, monkeypatch, said
):
    # Every look at the clock is an interval later.
    clock = SimpleNamespace(monotonic=itertools.count(0, 1000).__next__)
    monkeypatch.setattr(saver, "time", clock)
    flags = full_run_flags | {
        "optimizer": "rmsprop",
        "trainable_scopes": "head",
        "max_number_of_steps": 12,
        "log_every_n_steps": 1,
    }
    assert small_runs.train(train_dir=copied_run, **flags) == 0
    assert small_runs.steps_saved(copied_run) == [8, 9, 10, 11, 12]
    assert "newly initialized" in said()
    assert "Tiny/Logits/weights/RMSProp" in said()
    before = small_runs.read_all(full_run, 6)
    after = small_runs.read_all(copied_run, 12)
    assert not any(name.endswith("/Adam") for name in after)
    for name in (n for n in after if n.startswith("Tiny/") and "/RMSProp" not in n):
        trained = name.split("/")[1] in ("Logits", "AuxLogits")
        # The averages keep moving towards the frozen values.
        moves = trained or name.endswith("ExponentialMovingAverage")
        assert np.array_equal(after[name], before[name]) != moves, name


def test_patience_ends_a_run_that_gets_no_better(images_dir, tmp_path, said):
    flags = {
        "dataset_dir": images_dir,
        "train_dir": tmp_path,
        "learning_rate": 0.0,
        "trainable_scopes": "head",
        "eval_split_name": "validation",
        "eval_every_n_steps": 2,
        "early_stopping_patience": 2,
        "max_number_of_steps": 100,
    }
    assert small_runs.train(**flags) == 0
    # Step 2 is the best; 4 and 6 are no better.
    assert small_runs.steps_saved(tmp_path / "best") == [2]
    assert small_runs.steps_saved(tmp_path) == [6]
    assert "finished at step 6" in said()
    assert small_runs.train(**flags) == 0
    assert small_runs.steps_saved(tmp_path) == [6]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {"trainable_scopes": "Tiny/Conv2d_3"},
            "--trainable_scopes: no variable matches the scope Tiny/Conv2d_3;"
            " the nearest scopes are",
        ),
        (
            {"checkpoint_path": "FULL_RUN", "checkpoint_exclude_scopes": "Tiny/Logit_"},
            "--checkpoint_exclude_scopes: no variable matches the scope Tiny/Logit_;"
            " the nearest scopes are Tiny/Logits",
        ),
        ({"checkpoint_path": "/nowhere/model.ckpt"}, "there is no folder /nowhere"),
        ({"dataset_split_name": "holdout"}, "holdout"),
        ({"eval_split_name": "holdout"}, "holdout"),
        ({"dataset_dir": "/nowhere"}, "/nowhere"),
        ({"batch_size": -1}, "--batch_size=-1: expected 1 or more"),
        ({"learning_rate": float("nan")}, "--learning_rate=nan: expected a finite"),
        ({"model_name": "tinny"}, "no such net (did you mean tiny"),
        ({"preprocessing_name": "inseption"}, "inseption"),
        ({"num_epochs_per_decay": 0.01}, "--num_epochs_per_decay=0.01 is less than"),
        ({"labels_offset": 3}, "--labels_offset=3: the data has only 3 classes"),
        ({"train_dir": "/dev/null/run"}, "/dev/null/run cannot be written to"),
        ({"early_stopping_patience": 2}, "has no effect without --eval_split_name"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_does_not_fit_is_one_line_before_the_first_step(
    flags, message, full_run, images_dir, tmp_path
):
    if flags.get("checkpoint_path") == "FULL_RUN":
        flags = flags | {"checkpoint_path": str(full_run)}
    train_dir = tmp_path / "run"
    with pytest.raises(UserError) as raised:
        small_runs.train(
            **{
                "dataset_dir": images_dir,
                "train_dir": train_dir,
                "max_number_of_steps": 1,
                **flags,
            }
        )
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_status == 2
    assert not train_dir.exists()


def test_another_number_of_classes_names_the_shapes_and_the_flag(full_run, tmp_path):
    colours = [0, 1, 2, 0]
    names = ("red", "green", "blue", "black")
    images = coloured_images.write_split(
        tmp_path / "images", "train", colours, colours, class_names=names
    )
    flags = {"dataset_dir": images, "max_number_of_steps": 1}
    with pytest.raises(UserError) as raised:
        small_runs.train(
            train_dir=tmp_path / "run", checkpoint_path=str(full_run), **flags
        )
    message = str(raised.value)
    assert "1x1x4x3" in message
    assert "1x1x4x4" in message
    assert "--checkpoint_exclude_scopes=head" in message

    with pytest.raises(UserError, match=r"num_classes|another net"):
        small_runs.train(train_dir=shutil.copytree(full_run, tmp_path / "own"), **flags)


@pytest.mark.parametrize(
    "flags", [{}, {"feature_cache": "memory", "trainable_scopes": "head"}]
)
def test_a_label_out_of_range_names_file_and_record(flags, tmp_path):
    images = coloured_images.write_split(
        tmp_path / "images", "train", [0, 1, 2, 0, 1], [0, 1, 2, 0, 7]
    )
    with pytest.raises(UserError, match=r"colours_train_00001.*record 1.*7") as raised:
        small_runs.train(
            dataset_dir=images,
            train_dir=tmp_path / "run",
            max_number_of_steps=5,
            **flags,
        )
    assert "\n" not in str(raised.value)


def test_the_seed_decides_the_fresh_weights(images_dir, tmp_path):
    def fresh(seed):
        config = small_runs.make_config(
            dataset_dir=images_dir, train_dir=tmp_path / "run", seed=seed
        )
        setup = train_setup.prepare(config, devices.make_strategy(1))
        return setup.network.model_variables["Tiny/Conv2d_1/weights"].numpy()

    first = fresh(1)
    np.testing.assert_array_equal(first, fresh(1))
    assert not np.array_equal(first, fresh(2))


@pytest.mark.parametrize(
    ("flags", "last_step"),
    [
        ({"max_number_of_epochs": 2.0}, 6),
        ({"max_number_of_epochs": 0.4}, 2),  # 4.8 of 12 images
        ({"max_number_of_epochs": 0.01}, 1),
        ({"max_number_of_steps": 7}, 7),
        ({}, None),
    ],
)
def test_epochs_become_steps_rounded_up(flags, last_step, images_dir, tmp_path):
    config = small_runs.make_config(
        dataset_dir=images_dir, train_dir=tmp_path / "run", **flags
    )
    setup = train_setup.prepare(config, tf.distribute.OneDeviceStrategy("/CPU:0"))
    assert setup.last_step == last_step


def test_scopes_are_listed_with_their_parameters(capsys):
    train_loop.list_scopes(ModelOptions(model_name=small_runs.NET))
    lines = capsys.readouterr().out.splitlines()
    (logits,) = [line for line in lines if "Tiny/Logits " in line]
    assert "7,000" in logits  # (6 features + 1) * 1000 classes
    assert "`head` stands for Tiny/Logits,Tiny/AuxLogits" in lines[-1]
