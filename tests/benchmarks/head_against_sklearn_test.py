import numpy as np

from benchmarks import fine_tune_stages, head_against_sklearn
from benchmarks.fine_tune_stages import Outcome


def test_both_are_judged_by_the_half_that_neither_saw():
    """Labels that follow from the features are found, drawn ones are not."""
    generator = np.random.default_rng(0)
    features = generator.normal(size=(200, 6)).astype(np.float32)
    labels = (features[:, 0] > 0).astype(np.int32)
    ours, peer, *_ = head_against_sklearn.compare([features], labels, seed=1)
    assert min(ours, peer) > 0.9
    drawn = generator.integers(0, 2, 200).astype(np.int32)
    ours, peer, *_ = head_against_sklearn.compare([features], drawn, seed=1)
    assert max(ours, peer) < 0.7


def test_a_row_has_the_mean_difference_and_its_standard_error():
    """Differences 0.02 and 0: mean 0.01, deviation 0.0141, error 0.0141 / √2 = 0.01."""
    found = np.array([[0.92, 0.90, 1, 2], [0.80, 0.80, 3, 4]])
    row = head_against_sklearn.row("lenet", "photos/cats", 40, found)
    assert row[:3] == ["lenet", "cats", "40"]
    assert row[3:] == ["0.8600", "0.8500", "+0.0100 ± 0.0100", "2.0", "3.0"]


def test_the_error_of_several_splits_is_that_of_all_their_images():
    """√(0.8 × 0.2 / 100) = 0.04; of four times the images half of that."""
    found = [Outcome(0.8, 0.85, "2-top", 100, 41.2)] * 4
    assert fine_tune_stages.row("stamps", found[:1]) == [
        *("stamps", "0.8000", "0.8500", "+0.0500", "0.0400", "41", "2-top")
    ]
    assert fine_tune_stages.row("mean", found)[4] == "0.0200"
