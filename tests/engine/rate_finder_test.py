"""The trial of learning rates: when it stops, what it suggests, what it leaves."""

import math

import pytest
import tensorflow as tf

from engine import rate_finder
from tests.engine import small_runs

pytestmark = pytest.mark.filterwarnings("ignore:`layer:UserWarning")


def trials(*losses):
    rates = [10.0**number for number in range(len(losses))]
    return rate_finder.until_it_rises(zip(rates, losses, strict=True))


def test_rates_rise_by_the_same_factor():
    rates = [float(rate_finder.rate_of(tf.constant(n))) for n in (0, 1, 2, 99)]
    assert rates[0] == pytest.approx(1e-7)
    assert rates[3] == pytest.approx(10, rel=1e-4)
    assert rates[2] / rates[1] == pytest.approx(rates[1] / rates[0], rel=1e-5)


def test_smoothing_weighs_the_later_losses_more():
    assert [t.smoothed for t in trials(4.0, 2.0)] == pytest.approx([4, 0.56 / 0.19])


def test_it_stops_at_four_times_the_lowest_loss():
    found = trials(1.0, 1.0, 3.0, 50.0, 1.0)
    assert [t.total_loss for t in found] == [1.0, 1.0, 3.0, 50.0]
    assert len(trials(1.0, math.nan, 1.0)) == 1


def test_the_suggestion_is_a_tenth_of_the_best_rate():
    assert rate_finder.suggestion(trials(3.0, 1.0, 0.5, 6.0)) == pytest.approx(10)
    assert rate_finder.suggestion(trials(1.0, 2.0)) is None
    assert rate_finder.suggestion(trials(math.nan)) is None


def test_a_lucky_batch_at_a_rate_that_changes_nothing_is_no_suggestion():
    rates, losses = [1e-7, 1e-6, 1e-4, 1e-3, 1e-2], [0.5, 9.0, 9.0, 0.1, 50.0]
    found = rate_finder.until_it_rises(zip(rates, losses, strict=True))
    assert len(found) == 5  # 4 × 0.5 at the second step does not end it
    assert rate_finder.suggestion(found) == pytest.approx(1e-4)
    assert rate_finder.suggestion(found[:3]) is None
    assert rate_finder.suggestion(found[:1]) is None


def test_nothing_of_a_run_changes(full_run, full_run_flags, capsys):
    def files():
        return {p: p.read_bytes() for p in full_run.rglob("*") if p.is_file()}

    before = files()
    picture = full_run / rate_finder.PICTURE
    flags = full_run_flags | {"find_learning_rate": True}
    assert small_runs.train(train_dir=full_run, **flags) == 0
    after = files()
    assert after.pop(picture).startswith(b"<?xml")
    picture.unlink()
    assert after == before
    printed = capsys.readouterr().out
    assert "1.00e-07" in printed
    assert "smoothed" in printed
