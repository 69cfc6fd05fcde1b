import pytest

from engine.run.validation import Score
from fine_tuning import results


@pytest.mark.parametrize(
    ("of_the_top", "best"),
    [
        (Score(40, 0.95, 0.30), "2-top"),
        (Score(40, 0.94, 0.10), "1-head"),  # as accurate, with less loss
        (Score(40, 0.93, 0.10), "1-head"),
    ],
)
def test_a_later_stage_counts_where_it_is_more_accurate(of_the_top, best):
    scores = {"1-head": Score(1, 0.94, 0.20), "2-top": of_the_top}
    assert results.best_stage(scores) == best
