"""What a run is warned of before its first step."""

import pytest

from engine.run.announcement import never_reached
from tests.engine import small_runs

FLAGS = {
    "learning_rate_decay_type": "piecewise",
    "learning_rate_decay_epochs": "3,5",
    "warmup_epochs": 2.0,
    "mixed_in_split_name": "more",
    "mixed_in_fraction": 0.5,
    "mixed_in_after_epochs": 4.0,
}


@pytest.mark.parametrize(
    ("num_epochs", "flags"),
    [
        (
            1.5,
            [
                "learning_rate_decay_epochs=3,5",
                "warmup_epochs=2",
                "mixed_in_after_epochs=4",
            ],
        ),
        (2.5, ["learning_rate_decay_epochs=3,5", "mixed_in_after_epochs=4"]),
        (4.0, ["learning_rate_decay_epochs=5", "mixed_in_after_epochs=4"]),
        (4.5, ["learning_rate_decay_epochs=5"]),
        (5.5, []),
    ],
)
def test_epochs_behind_the_end_of_a_run_are_named(num_epochs, flags):
    config = small_runs.make_config(dataset_dir="/data", train_dir="/run", **FLAGS)
    assert never_reached(config, num_epochs) == [f"--{flag}" for flag in flags]


def test_what_is_not_given_is_not_named():
    config = small_runs.make_config(dataset_dir="/data", train_dir="/run")
    assert never_reached(config, 0.1) == []
