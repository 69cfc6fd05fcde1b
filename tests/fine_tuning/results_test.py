import numpy as np
import pytest

from checkpoints import model_info, slim_format
from checkpoints.checkpoint_folder import CheckpointFolder
from checkpoints.model_info import ModelInfo
from checkpoints.slim_format import Checkpoint
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


def test_moving_averages_are_handed_out_as_the_variables(tmp_path):
    """Validation judged them, and prediction takes the variables."""
    info = ModelInfo("lenet", 28, False, "lenet", 0, None, 2, None)
    best = CheckpointFolder(str(tmp_path / "best"), keep=1)
    best.create(info)
    arrays: dict[str, np.ndarray] = {
        "global_step": np.array(7, np.int64),
        "LeNet/fc4/weights": np.array([1, 2], np.float32),
        "LeNet/fc4/weights/ExponentialMovingAverage": np.array([3, 4], np.float32),
        "LeNet/fc4/biases": np.array([5], np.float32),
    }
    best.save(7, arrays)
    handed_out = tmp_path / "handed_out"
    results.copy_judged(str(tmp_path / "best"), str(handed_out))
    found = Checkpoint(slim_format.find_checkpoint(str(handed_out)))
    assert set(found.shapes) == {"global_step", "LeNet/fc4/weights", "LeNet/fc4/biases"}
    np.testing.assert_array_equal(found.read("LeNet/fc4/weights"), [3, 4])
    np.testing.assert_array_equal(found.read("LeNet/fc4/biases"), [5])
    assert found.global_step == 7
    assert model_info.read(str(handed_out)) == info
