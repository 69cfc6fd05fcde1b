"""Calibration and confidence, worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.evaluation import calibration

PROBABILITIES = np.array([0.1, 0.5, 0.4, 0.6, 1.0, 0.9, 0.8], np.float64)
CORRECT = np.array([0, 1, 0, 1, 1, 1, 0], bool)


def test_bins_and_their_error():
    low, high = calibration.reliability(PROBABILITIES, CORRECT, num_bins=2)
    assert (low.count, high.count) == (3, 4)
    assert (low.confidence, low.accuracy) == pytest.approx((1 / 3, 1 / 3))
    assert (high.confidence, high.accuracy) == pytest.approx((0.825, 0.75))
    error = calibration.expected_calibration_error([low, high])
    assert error == pytest.approx(4 / 7 * (0.825 - 0.75))


def test_empty_bins_count_for_nothing():
    bins = calibration.reliability(np.array([0.0, 1.0]), np.array([False, True]), 4)
    assert [one.count for one in bins] == [1, 0, 0, 1]
    assert calibration.expected_calibration_error(bins) == 0


def test_wilson_interval_of_textbooks():
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, and 0 of 20.
    assert calibration.wilson_interval(81, 263) == pytest.approx(
        (0.2553, 0.3662), abs=5e-5
    )
    assert calibration.wilson_interval(0, 20) == pytest.approx((0, 0.1611), abs=5e-5)


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_wilson_interval_holds_the_share(trials, share):
    successes = round(share * trials)
    low, high = calibration.wilson_interval(successes, trials)
    assert 0 <= low <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= high <= 1
    assert low < high
