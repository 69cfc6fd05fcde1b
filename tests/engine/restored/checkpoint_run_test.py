"""What is said of a run whose newest checkpoint is not its best."""

import json

import numpy as np
import pytest

from checkpoints import slim_format
from checkpoints.slim_format import Checkpoint
from engine.restored import checkpoint_run


@pytest.fixture
def run(tmp_path):
    """A function: a run of 8 steps that did best, of these accuracies, at step 4."""

    def run(accuracies):
        for folder, step in [(tmp_path, 8), (tmp_path / "best", 4)]:
            slim_format.write_checkpoint(
                str(folder / f"model.ckpt-{step}"), {"global_step": np.array(step)}
            )
        scores = [
            {"step": step, "accuracy": accuracy, "loss": 1, "split_name": "val"}
            for step, accuracy in accuracies.items()
        ]
        (tmp_path / "best" / "evaluations.json").write_text(json.dumps(scores))
        return Checkpoint(str(tmp_path / "model.ckpt-8"))

    return run


@pytest.mark.parametrize(
    ("accuracies", "said"),
    [
        ({4: 0.875, 8: 0.5}, "0.8750 on val, against 0.5000 at step 8"),
        ({4: 0.875, 6: 0.5}, "0.8750 on val, not evaluated at step 8"),
    ],
)
def test_the_best_is_named_with_both_accuracies(
    run, tmp_path, accuracies, said, caplog
):
    checkpoint_run.tell_of_best(str(tmp_path), run(accuracies))
    assert f"of step 4: accuracy {said}; " in caplog.text
    assert f"--checkpoint_path={tmp_path}/best uses it" in caplog.text


@pytest.mark.parametrize("accuracies", [{4: 0.5, 8: 0.875}, {4: 0.5, 8: 0.5}, {}])
def test_nothing_is_said_of_a_best_that_is_no_better(run, tmp_path, accuracies, caplog):
    checkpoint_run.tell_of_best(str(tmp_path), run(accuracies))
    assert not caplog.messages


def test_a_checkpoint_that_was_named_itself_is_what_was_wanted(run, tmp_path, caplog):
    checkpoint = run({4: 0.875, 8: 0.5})
    checkpoint_run.tell_of_best(checkpoint.path, checkpoint)
    assert not caplog.messages
