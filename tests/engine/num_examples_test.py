"""`--num_examples` in training, on cached features, resumed, and in evaluation."""

import json

import pytest

from config.eval_config import EvalConfig, EvalOptions
from config.shared_options import DataOptions, ModelOptions
from engine import evaluate
from errors import UserError
from tests.engine import coloured_images, small_runs

pytestmark = pytest.mark.filterwarnings("ignore:`layer:UserWarning")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """The first four training images are those of `few`."""
    folder = tmp_path_factory.mktemp("data")
    coloured_images.write_split(folder, "few", [0, 1, 2, 0], [0, 1, 2, 0])
    labels = [0, 1, 2, 0, 1, 1, 1, 1]
    return coloured_images.write_split(folder, "train", labels, labels)


def train(data_dir, folder, **flags):
    small_runs.train(
        dataset_dir=data_dir,
        train_dir=folder,
        **{"max_number_of_epochs": 2.0, "eval_split_name": "train", **flags},
    )
    return small_runs.read_all(folder, 2)  # of 4 images a step


@pytest.mark.parametrize(
    "flags",
    [
        {"class_weights": "balanced"},
        {"trainable_scopes": "head", "feature_cache": "memory"},
    ],
    ids=["images", "features"],
)
def test_training_equals_that_on_a_split_that_ends_there(data_dir, tmp_path, flags):
    few = train(data_dir, tmp_path / "few", dataset_split_name="few", **flags)
    first = train(data_dir, tmp_path / "first", num_examples=4, **flags)
    for name, value in few.items():
        assert first[name].tobytes() == value.tobytes(), name
    validated = json.loads((tmp_path / "first/best/evaluations.json").read_text())
    whole = json.loads((tmp_path / "few/best/evaluations.json").read_text())
    assert validated == whole


def test_another_number_is_another_run(data_dir, tmp_path):
    train(data_dir, tmp_path, num_examples=4)
    with pytest.raises(UserError, match=r"--num_examples was 4, is now 0"):
        train(data_dir, tmp_path)


def test_evaluation_of_the_first(data_dir, full_run, tmp_path):
    config = EvalConfig(
        DataOptions(dataset_name=coloured_images.NAME, dataset_dir=str(data_dir)),
        ModelOptions(model_name=small_runs.NET),
        EvalOptions(
            checkpoint_path=str(full_run),
            dataset_split_name="train",
            num_examples=3,
            eval_dir=str(tmp_path),
        ),
    )
    evaluate.evaluate(config, given={"eval_dir", "dataset_split_name"})
    assert json.loads((tmp_path / "metrics.json").read_text())["images"] == 3
