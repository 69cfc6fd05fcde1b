"""The scale by hand, and a float16 step that overflows."""

import numpy as np
import pytest
import tensorflow as tf

from engine.step.loss_scale import LossScale, all_finite
from nets import nets_factory
from tests.engine import small_runs
from tests.engine.trainer import Trainer, noise, without_dropout


def test_it_halves_at_once_and_doubles_after_2000_good_steps():
    loss_scale = LossScale()
    seen = []
    for is_finite, good_before in [(True, 1998), (True, 1999), (False, 5), (True, 0)]:
        loss_scale.good_steps.assign(good_before)
        loss_scale.update(tf.constant(is_finite))
        seen.append((float(loss_scale.scale), int(loss_scale.good_steps)))
    assert seen == [(2**15, 1999), (2**16, 0), (2**15, 0), (2**15, 1)]


def test_it_never_falls_below_one():
    loss_scale = LossScale()
    loss_scale.scale.assign(1.0)
    loss_scale.update(tf.constant(False))
    assert loss_scale.scale == 1.0


@pytest.mark.parametrize("wrong", [np.inf, -np.inf, np.nan])
def test_one_value_of_one_tensor_counts(wrong):
    assert all_finite([tf.zeros([2]), tf.ones([3])])
    assert not all_finite([tf.zeros([2]), tf.constant([1.0, wrong])])


@pytest.fixture
def make_trainer(tmp_path, monkeypatch):
    """A function: training without dropout in a precision."""
    entry = without_dropout(nets_factory.NETWORKS[small_runs.NET])
    monkeypatch.setitem(nets_factory.NETWORKS, small_runs.NET, entry)
    return lambda precision: Trainer(
        tmp_path, precision=precision, optimizer="momentum"
    )


def test_scaled_steps_are_the_steps_of_float32(make_trainer):
    trainers = [make_trainer(name) for name in ("float32", "mixed_float16")]
    (whole,), (half,) = (trainer.run(noise(3), [3]) for trainer in trainers)
    assert half["total_loss"] == pytest.approx(whole["total_loss"], rel=1e-3)
    assert half["total_loss"] != whole["total_loss"]
    expected, found = (trainer.values() for trainer in trainers)
    assert set(found) - set(expected) == {"loss_scale", "loss_scale_good_steps"}
    assert found["loss_scale_good_steps"] == 3
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_allclose(found[name], value, atol=5e-3, err_msg=name)
        if name in trainers[0].state.trained:
            moved = np.abs(value - trainers[0].fresh[name]).max()
            assert moved > 5e-3, name


def test_an_overflow_leaves_the_step_out_and_halves_the_scale(make_trainer):
    trainer = make_trainer("mixed_float16")
    trainer.fresh["loss_scale"] = np.float32(2.0**40)
    (totals,) = trainer.run(noise(1), [1])
    assert np.isfinite(totals["total_loss"])
    values = trainer.values()
    assert values["loss_scale"] == 2.0**39
    assert values["loss_scale_good_steps"] == 0
    assert values["global_step"] == 1
    for name, variable in trainer.state.trained.items():
        np.testing.assert_array_equal(variable, trainer.fresh[name])
        np.testing.assert_array_equal(
            values[f"{name}/Momentum"], trainer.fresh[f"{name}/Momentum"]
        )
    # The scale finds its way back, and then the steps are taken.
    trainer.run(noise(30), [30])
    values = trainer.values()
    assert 0 < values["loss_scale_good_steps"] < 30
    weights = "Tiny/Logits/weights"
    assert not np.array_equal(values[weights], trainer.fresh[weights])
