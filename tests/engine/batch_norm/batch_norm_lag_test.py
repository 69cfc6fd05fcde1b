"""How long stored statistics take to settle, by hand."""

import types
from typing import Any

import pytest

from checkpoints import plan as plans
from engine.batch_norm.batch_norm_lag import Lag, lag_of, steps_to_settle
from nets.network import Network
from tests.engine import small_runs


@pytest.mark.parametrize(
    ("decay", "steps"),
    [(0, 1), (0.1, 3), (0.5, 10), (0.9, 66), (0.997, 2300), (0.9997, 23023)],
)
def test_a_thousandth_of_the_start_is_left(decay, steps):
    assert steps_to_settle(decay) == steps
    lag = Lag(1, decay)
    assert lag.is_settled(steps)
    assert not lag.is_settled(steps - 1)
    assert lag.is_settled(None)


def test_an_average_that_never_moves_never_settles():
    lag = Lag(2, 1.0)
    assert not lag.is_settled(10**9)
    assert not lag.is_settled(None)
    assert "the 2 that are trained never settle (decay 1)" in lag.as_text(5)


def test_without_batch_norms_all_is_settled():
    assert Lag(0, 1.0).is_settled(0)


def test_it_is_described_against_the_steps_of_the_run():
    assert Lag(27, 0.9997).as_text(150) == (
        "batch norm: the statistics of the 27 that are trained need 23,023 steps to"
        " settle (decay 0.9997); the run has 150"
    )
    assert Lag(1, 0.5).as_text(None) == (
        "batch norm: the statistics of the one that is trained need 10 steps to settle"
        " (decay 0.5)"
    )


@pytest.mark.parametrize(
    ("trainable", "flag", "expected"),
    [
        ((), None, Lag(2, 0.9)),
        ((), 0.5, Lag(2, 0.5)),
        (("Tiny/Conv2d_2",), None, Lag(1, 0.9)),
        (("Tiny/Logits",), None, Lag(0, 0.0)),
    ],
)
def test_the_batch_norms_that_train_count(trainable, flag, expected):
    network = Network(small_runs.NET, num_classes=3)
    plan = plans.make_plan(
        network.variable_shapes(),
        [n for n, v in network.model_variables.items() if v.trainable],
        restored=[],
        checkpoint_path=None,
        checkpoint_names=[],
        trainable_scopes=trainable,
        head_scopes=(),
        freeze_batch_norm=True,
    )
    assert lag_of(network, plan, flag) == expected


def test_those_of_an_auxiliary_head_do_not_count():
    scopes = ("N/AuxLogits/Conv/BatchNorm", "N/Conv/BatchNorm")
    network: Any = types.SimpleNamespace(batch_norm_decays=dict.fromkeys(scopes, 0.9))
    head_alone: Any = types.SimpleNamespace(updating_batch_norms=scopes[:1])
    assert lag_of(network, head_alone, None).is_settled(0)
    everything: Any = types.SimpleNamespace(updating_batch_norms=scopes)
    assert lag_of(network, everything, None) == Lag(1, 0.9)
