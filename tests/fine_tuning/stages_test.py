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
    assert why in stages.why_no_gain({**FOUND, **changes})
    assert bool(stages.why_no_gain({**FOUND, **changes})) == bool(why)


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
