"""The main job on published weights and real pictures, and what TensorBoard shows."""

import pathlib
import tempfile

import numpy as np
import pytest

from checkpoints import slim_format
from checkpoints.slim_format import Checkpoint
from tests.real import assets, stamps, tensorboard_page

pytestmark = pytest.mark.real

_SCREENSHOTS = assets.ROOT / "build" / "tensorboard"  # for a person to look at
_FROZEN = "InceptionV3/Mixed_6e/Branch_0/Conv2d_0a_1x1/weights"
_OPENED_LATER = "InceptionV3/Mixed_7c/Branch_0/Conv2d_0a_1x1/weights"


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory(prefix="stamps-") as name:
        yield pathlib.Path(name)


@pytest.fixture(scope="module")
def outcomes(folder):
    outcomes = stamps.run(folder)
    print(f"\n{stamps.table(outcomes)}")
    return outcomes


def test_the_published_weights_beat_random_ones(outcomes):
    published, random = outcomes["published"], outcomes["random"]
    for stage, outcome in published.items():
        assert outcome.accuracy > random[stage].accuracy + 0.2
        assert outcome.accuracy > 0.7


def test_each_stage_trains_its_scopes_alone(outcomes):
    def read(path, name):
        return Checkpoint(slim_format.find_checkpoint(str(path))).read(name)

    published = assets.inception_checkpoint()
    head, mixed_7 = (outcome.train_dir for outcome in outcomes["published"].values())
    for name in (_FROZEN, _OPENED_LATER):
        np.testing.assert_array_equal(read(head, name), read(published, name))
    np.testing.assert_array_equal(read(mixed_7, _FROZEN), read(published, _FROZEN))
    assert (read(mixed_7, _OPENED_LATER) != read(published, _OPENED_LATER)).any()


def test_the_evaluation_script_finds_what_training_did(folder, outcomes):
    last = outcomes["published"]["mixed_7"]
    assert stamps.evaluate(folder, last.train_dir) == pytest.approx(last.accuracy)


def test_tensorboard_shows_the_runs(folder, outcomes):
    wanted = {
        "scalars": ["curves/accuracy", "curves/learning_rate", "curves/loss"],
        "images": ["samples/augmented"],
        "histograms": [
            "weights/InceptionV3/Logits/Conv2d_1c_1x1/weights",
            "outputs/PreLogits",
        ],
        "text": ["plan"],
    }
    shown = tensorboard_page.look(str(folder / "runs"), str(_SCREENSHOTS), wanted)
    pages = {"first_screen", "timeseries", "scalars", "images", "histograms", "text"}
    assert shown == {page: wanted.get(page, wanted["scalars"]) for page in pages}
    assert {shot.stem for shot in _SCREENSHOTS.glob("*.png")} == pages
