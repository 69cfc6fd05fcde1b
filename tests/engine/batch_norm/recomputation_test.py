"""Runs whose statistics lag: what they are evaluated with, and what they save."""

import json
import logging
import os

import numpy as np
import pytest
import tensorflow as tf

from common import progress
from config.eval_config import EvalConfig, EvalOptions
from config.shared_options import DataOptions, ModelOptions
from config.training.augmentation_options import AugmentationOptions
from engine import evaluate
from engine.batch_norm.recomputation import moments_of, num_batches
from tests.engine import coloured_images, small_runs

STATISTICS = ("moving_mean", "moving_variance")
RUNNING = "RunningAverage"


def test_a_thousand_images_are_seen_or_an_epoch():
    assert num_batches(num_examples=300, batch_size=32) == 10
    assert num_batches(num_examples=5000, batch_size=32) == 32
    assert num_batches(num_examples=3, batch_size=32) == 1


@pytest.fixture
def said(caplog):
    """A function: all that was logged, in one string."""
    caplog.set_level(logging.INFO, logger="absl")
    return lambda: "\n".join(caplog.messages)


def test_progress_is_told_against_the_number_of_batches(monkeypatch, said):
    monkeypatch.setattr(progress, "_SECS_BETWEEN_LINES", 0)
    one = {"features": tf.zeros([2, 1]), "label": tf.zeros([2], tf.int32)}
    batches = tf.data.Dataset.range(9).flat_map(  # of a number that tf.data cannot tell
        lambda _: tf.data.Dataset.from_tensors(one)
    )
    seed = tf.zeros([2], tf.int64)
    moments = moments_of(batches, 2, lambda *_: {}, seed, AugmentationOptions(), 3)
    assert len(list(moments)) == 2
    assert "recomputing statistics: 2 of 2 steps" in said()


def by_kind(saved):
    """Statistics in use, their running averages, and all else."""
    running = {n.removesuffix(f"/{RUNNING}"): n for n in saved if n.endswith(RUNNING)}
    used = {n: saved[n] for n in running}
    rest = {n: v for n, v in saved.items() if n not in used and RUNNING not in n}
    return used, {n: saved[source] for n, source in running.items()}, rest


@pytest.fixture(scope="module")
def flags(images_dir):
    return {
        "dataset_dir": images_dir,
        "batch_norm_decay": 0.999,
        "optimizer": "adam",
        "opt_epsilon": 0.01,
        "learning_rate": 0.02,
        "max_number_of_steps": 6,
        "log_every_n_steps": 6,
        "eval_split_name": "validation",
        "eval_every_n_steps": 4,
    }


@pytest.fixture(scope="module")
def plain_run(flags, tmp_path_factory, small_net):
    """A run that leaves its averages as they are."""
    train_dir = tmp_path_factory.mktemp("plain")
    small_runs.train(train_dir=train_dir, recompute_batch_norm="false", **flags)
    return train_dir


@pytest.fixture(scope="module")
def lagging_run(flags, tmp_path_factory, small_net):
    train_dir = tmp_path_factory.mktemp("lagging")
    small_runs.train(train_dir=train_dir, **flags)
    return train_dir


def test_the_run_itself_goes_its_way(plain_run, lagging_run):
    used, running, rest = by_kind(small_runs.read_all(lagging_run, 6))
    plain = small_runs.read_all(plain_run, 6)
    assert {n.rpartition("/")[2] for n in used} == set(STATISTICS)
    assert len(used) == 4
    assert set(plain) == {*running, *rest}
    for name, value in {**running, **rest}.items():
        assert plain[name].tobytes() == value.tobytes(), name
    for name, value in used.items():
        assert not np.allclose(value, running[name], rtol=0.1), name


def history(train_dir):
    return json.loads((train_dir / "best" / "evaluations.json").read_text())


def test_it_is_evaluated_with_statistics_of_its_weights(plain_run, lagging_run):
    losses = [[e["loss"] for e in history(run)] for run in (lagging_run, plain_run)]
    assert len(losses[0]) == 2
    assert losses[0][-1] < losses[1][-1]


def test_the_best_checkpoint_has_what_it_was_evaluated_with(
    lagging_run, images_dir, tmp_path
):
    best = min(history(lagging_run), key=lambda e: (-e["accuracy"], e["loss"]))
    config = EvalConfig(
        DataOptions(
            dataset_name=coloured_images.NAME, dataset_dir=os.fspath(images_dir)
        ),
        ModelOptions(model_name=small_runs.NET),
        EvalOptions(
            checkpoint_path=os.fspath(lagging_run / "best"),
            eval_dir=os.fspath(tmp_path),
            dataset_split_name="validation",
        ),
    )
    evaluate.evaluate(config, given=frozenset())
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["loss"] == pytest.approx(best["loss"], rel=1e-5)


@pytest.mark.parametrize("frozen", [True, False])
def test_where_nothing_is_recomputed_the_run_says_what_would(
    flags, tmp_path, said, frozen
):
    more = {"recompute_batch_norm": "false"} if frozen else {"freeze_batch_norm": False}
    small_runs.train(train_dir=tmp_path, **{**flags, **more, "max_number_of_steps": 1})
    assert "the 2 that are trained need 6,905 steps to settle (decay 0.999)" in said()
    assert said().count("99.9 % of their initial") == 2  # before validation, at the end
    assert "--recompute_batch_norm=true" in said()
    assert not by_kind(small_runs.read_all(tmp_path, 1))[0]


def test_statistics_that_have_settled_cost_nothing(flags, tmp_path, said):
    small_runs.train(train_dir=tmp_path, **{**flags, "batch_norm_decay": 0.1})
    assert "the 2 that are trained need 3 steps to settle" in said()
    assert "recomputed at" not in said()
    assert not by_kind(small_runs.read_all(tmp_path, 6))[0]


def test_they_are_recomputed_on_request(flags, tmp_path, said):
    more = {"batch_norm_decay": 0.1, "recompute_batch_norm": "true"}
    small_runs.train(train_dir=tmp_path, **{**flags, **more})
    assert "recomputed at step 6" in said()
    assert len(by_kind(small_runs.read_all(tmp_path, 6))[0]) == 4


def test_a_run_without_batch_norms_that_train_says_nothing(flags, tmp_path, said):
    small_runs.train(train_dir=tmp_path, **{**flags, "trainable_scopes": "head"})
    assert "batch norm:" not in said()
    assert not by_kind(small_runs.read_all(tmp_path, 6))[0]


def test_averages_of_the_variables_get_statistics_of_their_own(flags, tmp_path):
    """Of one step: the average, 0.1 of which is new, is far from the weights."""
    small_runs.train(
        train_dir=tmp_path,
        **{**flags, "moving_average_decay": 0.999, "max_number_of_steps": 3},
    )
    used, running, _ = by_kind(small_runs.read_all(tmp_path, 3))
    assert len(used) == 8
    for name in (n for n in used if n.endswith(STATISTICS)):
        shadow = f"{name}/ExponentialMovingAverage"
        assert not np.array_equal(used[name], used[shadow]), name
        assert not np.array_equal(used[shadow], running[shadow]), name


def test_cached_features_give_the_statistics_of_images(flags, tmp_path):
    """In one view, that of evaluation, both see the same batches."""
    runs = []
    for cache in ("off", "memory"):
        train_dir = tmp_path / cache
        small_runs.train(
            train_dir=train_dir,
            **flags,
            feature_cache=cache,
            feature_cache_views=1,
            trainable_scopes="Tiny/Conv2d_2,head",
        )
        runs.append(by_kind(small_runs.read_all(train_dir, 6)))
    (used, _, _), (cached, _, _) = runs
    assert set(cached) == {f"Tiny/Conv2d_2/BatchNorm/{name}" for name in STATISTICS}
    assert set(used) == set(cached)
    for name, value in used.items():
        np.testing.assert_allclose(cached[name], value, rtol=0.05, err_msg=name)


@pytest.mark.parametrize(
    "more",
    [
        {"precision": "mixed_bfloat16"},
        {"gradient_accumulation_steps": 2, "batch_size": 2},
        {"mixup_alpha": 0.5},
    ],
)
def test_with_other_options_too(flags, tmp_path, more):
    small_runs.train(train_dir=tmp_path, **{**flags, **more, "max_number_of_steps": 2})
    used, running, _ = by_kind(small_runs.read_all(tmp_path, 2))
    assert len(used) == 4
    for name, value in used.items():
        assert np.isfinite(value).all()
        assert not np.array_equal(value, running[name]), name


def test_the_end_of_a_run_does_not_show_in_a_longer_one(flags, lagging_run, tmp_path):
    """Neither when it saves nor how often it stops changes what comes out."""
    for steps in (2, 6):
        small_runs.train(
            train_dir=tmp_path,
            **{**flags, "max_number_of_steps": steps, "eval_every_n_steps": 3},
        )
    expected, found = (small_runs.read_all(d, 6) for d in (lagging_run, tmp_path))
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name].tobytes() == value.tobytes(), name
