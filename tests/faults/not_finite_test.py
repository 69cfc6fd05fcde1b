"""What is not finite ends a run before any of it is saved."""

import numpy as np
import pytest
import tensorflow as tf

from engine.run import train_setup
from engine.step.train_step import _Step
from errors import NotFiniteError
from tests.engine import small_runs

pytestmark = [
    pytest.mark.usefixtures("small_net"),
    pytest.mark.filterwarnings("ignore:`layer:UserWarning"),
]


def refused(run_dir, images_dir):
    """Trains a step on; returns the error's message."""
    with pytest.raises(NotFiniteError) as raised:
        small_runs.train(
            train_dir=run_dir,
            dataset_dir=images_dir,
            max_number_of_steps=3,
            eval_split_name="validation",
            eval_every_n_steps=1,
        )
    message = str(raised.value)
    assert "\n" not in message
    assert message.endswith(f"the last good checkpoint is {run_dir}/model.ckpt-2")
    assert small_runs.steps_saved(run_dir) == [2]
    for values in (small_runs.read_all(run_dir, 2), best_of(run_dir)):
        assert all(np.isfinite(value).all() for value in values.values())
    return message


def best_of(run_dir):
    best = run_dir / "best"
    return small_runs.read_all(best, small_runs.steps_saved(best)[0])


@pytest.fixture
def run_dir(tmp_path, images_dir):
    """A run of two steps."""
    run_dir = tmp_path / "run"
    small_runs.train(
        train_dir=run_dir,
        dataset_dir=images_dir,
        max_number_of_steps=2,
        eval_split_name="validation",
        eval_every_n_steps=1,
    )
    return run_dir


def test_a_loss(run_dir, images_dir, monkeypatch):
    losses = _Step.batch_losses

    def spoilt(*args):
        means = losses(*args)
        return means | {"total_loss": means["total_loss"] * np.inf}

    monkeypatch.setattr(_Step, "batch_losses", spoilt)
    assert "the total loss is inf at step 3" in refused(run_dir, images_dir)


def test_a_gradient(run_dir, images_dir, monkeypatch):
    compute = _Step.loss_and_gradients

    def spoilt(*args):
        means, gradients = compute(*args)
        return means, [gradients[0] * np.nan, *gradients[1:]]

    monkeypatch.setattr(_Step, "loss_and_gradients", spoilt)
    message = refused(run_dir, images_dir)
    assert "Tiny/Conv2d_1/weights is not finite after step 3" in message


def test_the_statistics_of_a_batch_norm(run_dir, images_dir, monkeypatch):
    restored_state = train_setup.restored_state
    name = "Tiny/Conv2d_2/BatchNorm/moving_variance"

    def spoilt(*args):
        state = restored_state(*args)
        variable = state.network.model_variables[name]
        variable.assign(tf.fill(variable.shape, np.nan))
        return state

    monkeypatch.setattr(train_setup, "restored_state", spoilt)
    assert f"{name} is not finite after step 3" in refused(run_dir, images_dir)
