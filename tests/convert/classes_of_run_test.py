"""A run is evaluated on photos of some of its classes, from folders to figures."""

import json

import numpy as np
import pytest

from checkpoints import slim_format
from checkpoints.model_info import ModelInfo
from config.eval_config import EvalConfig, EvalOptions
from config.shared_options import ComputeOptions, DataOptions, ModelOptions
from convert.photos import class_names, conversion
from convert.photos.settings import Settings
from engine import evaluate
from errors import UserError
from nets.network import Network
from tests.convert.sample_photos import make_folder

MODEL = "mobilenet_v1_025"
LOGITS = "MobilenetV1/Logits/Conv2d_1c_1x1"
CLASSES = ("ant", "bee", "cat", "dog")


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """A run whose net calls every photo a cat."""
    folder = tmp_path_factory.mktemp("run")
    network = Network(MODEL, num_classes=len(CLASSES), image_size=32)
    values = {name: value.numpy() for name, value in network.model_variables.items()}
    values[f"{LOGITS}/weights"] = np.zeros_like(values[f"{LOGITS}/weights"])
    values[f"{LOGITS}/biases"] = np.array([0, 0, 3, 0], np.float32)
    slim_format.write_checkpoint(str(folder / "model.ckpt-1"), values)
    ModelInfo(
        model_name=MODEL,
        image_size=32,
        use_grayscale=False,
        preprocessing_name=MODEL,
        labels_offset=0,
        dataset_name="pets",
        num_classes=len(CLASSES),
        class_names=CLASSES,
    ).write(str(folder))
    return folder


def convert(photos, data_dir, classes, **options):
    settings = Settings(
        image_dir=str(photos),
        csv_file=None,
        dataset_dir=str(data_dir),
        dataset_name="more",
        class_names=classes,
        **options,
    )
    conversion.convert(settings, num_workers=1, max_rejected_fraction=0.1)


def metrics_of(run_dir, data_dir, eval_dir):
    config = EvalConfig(
        DataOptions(dataset_name="more", dataset_dir=str(data_dir)),
        ModelOptions(),
        EvalOptions(
            checkpoint_path=str(run_dir),
            dataset_split_name="test",
            eval_dir=str(eval_dir),
            batch_size=4,
        ),
        ComputeOptions(),
    )
    assert evaluate.evaluate(config, given=frozenset(["dataset_name"])) == 0
    return json.loads((eval_dir / "metrics.json").read_text())


def test_some_of_the_classes_of_a_run(run_dir, tmp_path, capsys):
    photos = make_folder(tmp_path / "photos", ["dog", "cat"], number=3)
    (photos / "dog" / "2.png").unlink()
    classes = class_names.given(None, str(run_dir))
    convert(photos, tmp_path / "data", classes, test_fraction=1.0)
    out = capsys.readouterr().out
    assert "python eval_image_classifier.py" in out
    assert "--dataset_split_name=test" in out
    metrics = metrics_of(run_dir, tmp_path / "data", tmp_path / "eval")
    assert metrics["accuracy"] == 3 / 5  # 3 cats, 2 dogs


def test_without_the_runs_classes_it_is_refused(run_dir, tmp_path):
    photos = make_folder(tmp_path / "photos", ["dog", "cat"], number=8)
    convert(photos, tmp_path / "data", None, test_fraction=0.5)
    with pytest.raises(UserError, match="other classes than the checkpoint"):
        metrics_of(run_dir, tmp_path / "data", tmp_path / "eval")


def test_a_class_that_the_run_does_not_know_is_refused(run_dir, tmp_path):
    photos = make_folder(tmp_path / "photos", ["dog", "unknown"])
    classes = class_names.given(None, str(run_dir))
    with pytest.raises(UserError, match=r"class 'unknown', which is not among the 4"):
        convert(photos, tmp_path / "data", classes, test_fraction=1.0)
    assert not (tmp_path / "data").exists()
