"""Every flag of fine-tuning through all commands.

A run is killed and resumed, then evaluated, predicted with and exported.
"""

import json
import os
import signal
from typing import Any

import pytest
from PIL import Image

from config.eval_config import EvalConfig, EvalOptions
from config.predict_config import NetOptions, PredictConfig, PredictOptions
from config.shared_options import ComputeOptions, DataOptions, ModelOptions
from convert import export_model
from convert.exports import export_photos
from convert.exports.check import Check
from convert.exports.formats import Job
from engine import evaluate, predict
from engine.restored import classifier as classifiers
from engine.run.train_log import TrainLog
from tests.engine import coloured_images, small_runs

pytestmark = pytest.mark.filterwarnings("ignore:`layer:UserWarning")

COLOURS = [0] * 8 + [1] * 3 + [2]
WEIGHTS = "Tiny/Conv2d_2/weights"
# Every flag in one run at least.
CASES: dict[str, dict[str, Any]] = {
    "loss": {
        "learning_rate_decay_type": "cosine",
        "learning_rate_multipliers": "Tiny/Conv2d_1=0.3,head=1,.*=0.1",
        "class_weights": "effective",
        "starting_point_decay": 0.1,
        "optimizer": "adam",
        "label_smoothing": 0.1,
        "head_hidden_units": "6",
        "checkpoint_exclude_scopes": "head",
    },
    "order": {
        "learning_rate_decay_type": "piecewise",
        "learning_rate_decay_epochs": "1,1.5",
        "layer_decay": 0.5,
        "focal_gamma": 2.0,
        "sampling": "balanced",
        "moving_average_decay": 0.9,
        "batch_size": 2,
        "gradient_accumulation_steps": 2,
    },
    "mixed": {
        "num_examples": 9,
        "mixed_in_split_name": "validation",
        "mixed_in_fraction": 0.5,
        "mixed_in_after_epochs": 0.4,  # from the third step of the run
        "random_affine": "shear=10,zoom=0.2",
        "batch_size": 2,
        "gradient_accumulation_steps": 2,
    },
    "cache": {
        "final_endpoint": "Conv2d_2",
        "checkpoint_exclude_scopes": "head",
        "trainable_scopes": "Tiny/Conv2d_2,head",
        "feature_cache": "memory",
        "learning_rate_multipliers": "Tiny/Conv2d_2=0.1",
        "sampling": "balanced",
        "starting_point_decay": 0.1,
    },
}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbalanced")
    coloured_images.write_split(folder, "train", COLOURS, COLOURS, shaded=True)
    return coloured_images.write_split(
        folder, "validation", [0, 1, 2], [0, 1, 2], shaded=True
    )


@pytest.fixture
def train(data_dir, full_run):
    def train(folder, **flags):
        start = {"checkpoint_path": str(full_run), "recompute_batch_norm": "false"}
        length = {"max_number_of_steps": 6, "log_every_n_steps": 3}
        return small_runs.train(
            dataset_dir=data_dir, train_dir=folder, **start | length | flags
        )

    return train


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "red.png"
    Image.new("RGB", (20, 20), (180, 10, 10)).save(path)
    return path


def predicted(folder, photo):
    """The probabilities of the classes of a photo."""
    out = folder / "predictions.jsonl"
    options = PredictOptions(
        checkpoint_path=str(folder), format="jsonl", output_file=str(out)
    )
    assert predict.predict(PredictConfig(options, NetOptions()), [str(photo)]) == 0
    classes = json.loads(out.read_text())["classes"]
    assert {one["class"] for one in classes} == {"red", "green", "blue"}
    return sorted(one["probability"] for one in classes)


def exported(folder):
    """Exports a run; each format is compared with the net itself."""
    net = classifiers.load(str(folder), NetOptions(), use_moving_average=False)
    check = Check(net, export_photos.generated())
    formats = ["frozen_graph", "tflite"]
    return export_model.export(Job(net), formats, str(folder / "export"), check)


def evaluated(data_dir, folder, eval_dir):
    """The metrics of a run's checkpoint, and those of it that name no folder."""
    config = EvalConfig(
        DataOptions(dataset_name=coloured_images.NAME, dataset_dir=str(data_dir)),
        ModelOptions(),
        EvalOptions(checkpoint_path=str(folder), eval_dir=str(eval_dir)),
        ComputeOptions(),
    )
    assert evaluate.evaluate(config, given={"eval_dir"}) == 0
    metrics = json.loads((eval_dir / "metrics.json").read_text())
    assert set(metrics["macro"]) == {"precision", "recall", "f1"}
    return {n: v for n, v in metrics.items() if n != "checkpoint"}


@pytest.mark.parametrize("case", CASES)
def test_a_killed_run_resumes_to_the_same_bytes_and_serves_all_commands(
    case, train, data_dir, photo, tmp_path, monkeypatch
):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert train(whole, **CASES[case]) == 0
    with monkeypatch.context() as patch:
        report = TrainLog.report

        def report_and_terminate(log, step):
            os.kill(os.getpid(), signal.SIGTERM)
            return report(log, step)

        patch.setattr(TrainLog, "report", report_and_terminate)
        assert train(killed, **CASES[case]) == 128 + signal.SIGTERM
    assert small_runs.steps_saved(killed) == [3]
    assert train(killed, **CASES[case]) == 0

    expected, resumed = (small_runs.read_all(run, 6) for run in (whole, killed))
    assert set(resumed) == set(expected)
    for name, value in expected.items():
        assert resumed[name].tobytes() == value.tobytes(), name
    has_points = "starting_point_decay" in CASES[case]
    assert (f"{WEIGHTS}/StartingPoint" in expected) == has_points
    metrics = [evaluated(data_dir, run, run / "eval") for run in (whole, killed)]
    assert metrics[0] == metrics[1]
    assert sum(predicted(killed, photo)) == pytest.approx(1, abs=1e-5)
    assert predicted(killed, photo) == predicted(whole, photo)
    assert len(dict(exported(killed))) == 2
