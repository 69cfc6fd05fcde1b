"""Features that cannot be fitted are left out and named; few images are said."""

import numpy as np
import pytest

from config.probe_config import ProbeConfig, ProbeOptions
from config.shared_options import ComputeOptions, DataOptions
from engine.probing import judging
from engine.probing.depths import Depth
from engine.probing.probe_scores import Score
from errors import UserError

GOOD = np.arange(12, dtype=np.float32).reshape(4, 3)
CONSTANT = np.ones((4, 3), np.float32)
NOT_FINITE = np.where(GOOD == 5, np.nan, GOOD)


def depths(count):
    return [Depth(name, 3, name, (3,), (), ("w",), 0.5, True) for name in "abc"[:count]]


def test_depths_of_constant_or_not_finite_features_are_left_out_by_name(caplog):
    with caplog.at_level("WARNING"):
        kept = judging._usable(depths(3), [CONSTANT, NOT_FINITE, GOOD])
    assert [(depth.end_point, place) for depth, place in kept] == [("c", 2)]
    assert "a is skipped: its features are the same for all images" in caplog.text
    assert "b is skipped: its features are not finite for some images" in caplog.text


@pytest.mark.parametrize(
    ("features", "said"),
    [(CONSTANT, "are the same for all images"), (NOT_FINITE, "are not finite")],
)
def test_a_last_depth_without_features_is_refused(features, said):
    with pytest.raises(UserError, match=f"b, the net's last depth, {said}"):
        judging._usable(depths(2), [GOOD, features])


def test_the_learning_curve_of_many_classes_of_few_images_leaves_out_small_shares():
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(12), 3)  # an eighth are 4 images of 12 classes
    features = np.eye(12, dtype=np.float32)[labels] + 0.1 * random.random((36, 12))
    data, options = DataOptions(dataset_dir="x"), ProbeOptions(checkpoint_path="y")
    config = ProbeConfig(data, options, ComputeOptions())
    whole = Score(depths(1)[0], 0.75, 0.1, 1.0, None, 1)
    rise = judging.learning_curve(features.astype(np.float32), labels, whole, config)
    assert rise.num_images == (18, 36)
    assert rise.accuracies[0] > 0.5  # a twelfth is chance
    assert rise.accuracies[1] == 0.75
    assert rise.standard_error == 0.1
