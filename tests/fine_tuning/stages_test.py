"""What follows the head, from what a probe found."""

from typing import Any

import pytest

from fine_tuning import stages
from fine_tuning.stage_commands import WEIGHTS

DEPTHS = [
    {"end_point": "a", "flops_after": 0.5, "train_accuracy": 1.0},
    {"end_point": "b", "flops_after": 0.0, "train_accuracy": 0.9},
]
FOUND: dict[str, Any] = {
    "depths": DEPTHS,
    "chosen": "b",
    "better_end": None,
    "is_similar": True,
    "still_rises": False,
    "trials": [],
    "trainable_scopes": {"a": ["net/b/", "net/head/"], "b": ["net/head/"]},
}
ALL_RIGHT = [DEPTHS[0], DEPTHS[1] | {"train_accuracy": 1.0}]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"is_similar": False, "still_rises": True}, ""),
        ({"still_rises": True}, "which are few"),
        ({"is_similar": False, "depths": ALL_RIGHT}, "every training image correctly"),
    ],
)
def test_blocks_are_opened_where_there_is_something_to_learn(changes, why):
    said = stages.why_no_gain({**FOUND, **changes}, {"head": 0.8})
    assert why in said
    assert bool(said) == bool(why)


@pytest.mark.parametrize(("accuracy", "is_enough"), [(0.8, False), (0.81, True)])
def test_no_blocks_are_opened_where_a_shorter_net_is_better(accuracy, is_enough):
    found = {**FOUND, "better_end": "a"}
    said = stages.why_no_gain(found, {"head": 0.8, "shorter": accuracy})
    assert bool(said) == is_enough
    assert ("ends at a is better" in said) == is_enough


def test_the_net_ends_earlier_where_the_probe_says_so():
    assert stages.shorter(FOUND) is None
    stage = stages.shorter({**FOUND, "better_end": "a"})
    assert stage is not None
    assert stage.starts == (WEIGHTS,)
    assert "--final_endpoint=a" in stage.arguments
    values = {"max_number_of_steps": 5, "seed": 1}
    assert stages.without_steps(values, stage) == {"seed": 1}  # it is solved as well


def test_opened_blocks_start_from_the_head_of_the_whole_net():
    top = stages.top(FOUND)
    assert top.starts == (stages.HEAD.name,)
    assert "--trainable_scopes=net/b/,net/head/" in top.arguments
