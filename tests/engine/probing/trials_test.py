"""Trials: which depths are tried, and how the seconds are shared."""

import typing

import pytest

from engine.probing import trials
from engine.probing.depths import Depth
from engine.probing.probe_scores import Score
from engine.probing.trials import Trial


def depth(name, flops_after=0.1):
    return Depth(name, 8, name, (8,), (), ("w",), flops_after, True)


def score(name, accuracy, flops_after=0.1, screened=False):
    shown = None if screened else accuracy
    return Score(depth(name, flops_after), accuracy, 0.02, shown, shown, 1)


def names(depths):
    return [d.end_point for d in depths]


def test_the_best_of_what_leaves_half_of_the_net_is_tried_the_cheapest_first():
    scores = [
        *(score("whole", 0.99, 0.9), score("a", 0.90, 0.5), score("b", 0.7, 0.4)),
        *(score("c", 0.95, 0.3), score("d", 0.99, 0.3, screened=True)),
        *(score("e", 0.91, 0.2), score("f", 0.94, 0.1), score("last", 1.0, 0.0)),
    ]
    assert names(trials.candidates(scores)) == ["f", "e", "c", "a"]


def test_where_all_is_dear_the_depth_before_the_last_is_tried():
    scores = [score("a", 0.9, 0.9), score("b", 0.8, 0.6), score("last", 1.0, 0.0)]
    assert names(trials.candidates(scores)) == ["b"]
    assert trials.candidates(scores[-1:]) == []
    assert trials.run({}, 10.0, None) == []


class _Fake:
    """A candidate whose accuracy is what its options say; notes its seconds."""

    given: typing.ClassVar[list[tuple[str, float]]] = []

    def __init__(self, depth, accuracy, strategy, stack):
        self.depth, self.accuracy, self.secs = depth, accuracy, 0.0

    def train(self, secs):
        self.given.append((self.depth.end_point, secs))
        self.secs += secs

    def require_epoch_within(self, secs):
        assert self.depth.end_point == "a"  # the cheapest, by which it is measured

    def rank(self):
        return self.accuracy, 0.0

    def result(self):
        return Trial(self.depth, self.accuracy, 0.1, 1.0, self.secs)


@pytest.mark.parametrize(
    ("accuracies", "given", "order"),
    [
        (  # two rounds of 40 seconds
            {"a": 0.7, "b": 0.9, "c": 0.6, "d": 0.8},
            [*"abcd", *"bd"],
            ["b", "d", "a", "c"],
        ),
        ({"a": 0.7}, ["a"], ["a"]),
    ],
)
def test_every_round_shares_its_time_and_the_better_half_continues(
    accuracies, given, order, monkeypatch
):
    monkeypatch.setattr(trials, "_Candidate", _Fake)
    monkeypatch.setattr(_Fake, "given", [])
    configs = {depth(name): accuracy for name, accuracy in accuracies.items()}
    results = trials.run(configs, 80.0, None)
    assert [name for name, _ in _Fake.given] == given
    assert sum(secs for _, secs in _Fake.given) == pytest.approx(80)
    if len(accuracies) == 4:
        assert [secs for _, secs in _Fake.given] == [10.0] * 4 + [20.0] * 2
    assert [result.depth.end_point for result in results] == order
