"""A cut net with hidden layers through every command, by what `model.json` says."""

import json
import os
import re
import signal
from typing import Any

import pytest
from PIL import Image

from checkpoints import model_info
from config.eval_config import EvalConfig, EvalOptions
from config.predict_config import NetOptions, PredictConfig, PredictOptions
from config.probe_config import ProbeConfig, ProbeOptions
from config.shared_options import ComputeOptions, DataOptions, ModelOptions
from convert import export_model
from convert.exports import export_photos
from convert.exports.check import Check
from convert.exports.formats import Job
from engine import evaluate, predict, probe
from engine.restored import classifier as classifiers
from engine.restored import eval_options
from engine.run.train_log import TrainLog
from errors import UserError
from tests.engine import coloured_images, small_runs

pytestmark = pytest.mark.filterwarnings("ignore:`layer:UserWarning")

CUT = "Conv2d_1"
SCOPE = f"Tiny/Logits_{CUT}"
HEAD: dict[str, Any] = {"final_endpoint": CUT, "head_hidden_units": "6,4"}


@pytest.fixture(scope="module")
def flags(full_run_flags, full_run):
    return full_run_flags | {
        **HEAD,
        "checkpoint_path": str(full_run),
        "checkpoint_exclude_scopes": "head",
        "trainable_scopes": "head",
        "feature_cache": "memory",
    }


@pytest.fixture(scope="module")
def cut_run(flags, tmp_path_factory):
    """The cut net, its layers restored, trained on cached features."""
    folder = tmp_path_factory.mktemp("cut")
    assert small_runs.train(train_dir=folder, **flags) == 0
    return folder


def test_what_lies_before_the_cut_is_restored_and_the_rest_is_gone(cut_run, full_run):
    before, after = (small_runs.read_all(run, 6) for run in (full_run, cut_run))
    frozen = [n for n in after if n.startswith("Tiny/Conv2d_1/") and "Average" not in n]
    assert "Tiny/Conv2d_1/BatchNorm/moving_mean" in frozen
    for name in frozen:
        assert after[name].tobytes() == before[name].tobytes(), name
    assert not [n for n in after if n.startswith(("Tiny/Conv2d_2", "Tiny/AuxLogits"))]
    assert after[f"{SCOPE}/Hidden_1/weights"].shape == (4, 6)
    assert after[f"{SCOPE}/Hidden_2/weights"].shape == (6, 4)
    record = json.loads((cut_run / "model.json").read_text())
    assert record["final_endpoint"] == CUT
    assert record["head_hidden_units"] == [6, 4]
    of_whole = json.loads((full_run / "model.json").read_text())
    assert not {"final_endpoint", "head_hidden_units"} & set(of_whole)


def test_a_killed_run_resumes_to_the_same_bytes(cut_run, flags, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        report = TrainLog.report

        def report_and_terminate(log, step):
            os.kill(os.getpid(), signal.SIGTERM)
            return report(log, step)

        patch.setattr(TrainLog, "report", report_and_terminate)
        status = small_runs.train(train_dir=tmp_path, **flags)
    assert status == 128 + signal.SIGTERM
    other = flags | {"head_hidden_units": "6"}
    with pytest.raises(UserError, match="head_hidden_units was 6,4, is now 6"):
        small_runs.train(train_dir=tmp_path, **other)
    assert small_runs.train(train_dir=tmp_path, **flags) == 0
    uninterrupted = small_runs.read_all(cut_run, 6)
    resumed = small_runs.read_all(tmp_path, 6)
    assert set(resumed) == set(uninterrupted)
    for name, value in uninterrupted.items():
        assert resumed[name].tobytes() == value.tobytes(), name


def test_evaluation_and_prediction_read_the_cut_back(
    cut_run, images_dir, tmp_path, caplog
):
    config = EvalConfig(
        DataOptions(dataset_dir=str(images_dir)),
        ModelOptions(),
        EvalOptions(
            checkpoint_path=str(cut_run),
            eval_dir=str(tmp_path),
            dataset_split_name="validation",
            batch_size=5,
        ),
        ComputeOptions(),
    )
    assert evaluate.evaluate(config, given={"dataset_split_name"}) == 0
    assert (tmp_path / "metrics.json").exists()
    photo = tmp_path / "red.png"
    Image.new("RGB", (40, 40), (200, 0, 0)).save(photo)
    options = PredictOptions(
        checkpoint_path=str(cut_run), format="jsonl", output_file=str(tmp_path / "out")
    )
    assert predict.predict(PredictConfig(options, NetOptions()), [str(photo)]) == 0
    (line,) = (tmp_path / "out").read_text().splitlines()
    assert sum(c["probability"] for c in json.loads(line)["classes"]) == pytest.approx(
        1
    )


@pytest.mark.parametrize(
    ("flag", "value", "trained"),
    [
        ("final_endpoint", "Conv2d_2", CUT),
        ("head_hidden_units", "6", "6,4"),
    ],
)
def test_flags_that_contradict_the_run_are_refused(cut_run, flag, value, trained):
    message = re.escape(
        f"--{flag}={value} contradicts model.json next to the checkpoint"
    )
    with pytest.raises(UserError, match=f"{message}.*trained with {trained}: leave"):
        classifiers.load(
            str(cut_run), NetOptions(**{flag: value}), use_moving_average=False
        )
    config = EvalConfig(
        DataOptions(dataset_dir="/"),
        ModelOptions(**{flag: value}),
        EvalOptions(checkpoint_path=str(cut_run)),
        ComputeOptions(),
    )
    record = model_info.read(str(cut_run))
    assert record
    with pytest.raises(UserError, match=f"{message}.*trained with {trained}: leave"):
        eval_options.completed(config, record, {flag})


def test_a_checkpoint_without_model_json_needs_the_flags(cut_run, tmp_path):
    for file in cut_run.glob("model.ckpt-6*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    known: dict[str, Any] = {"model_name": small_runs.NET}
    with pytest.raises(UserError, match="--final_endpoint and --head_hidden_units"):
        classifiers.load(str(tmp_path), NetOptions(**known), use_moving_average=False)
    options = NetOptions(**known, **HEAD)
    found = classifiers.load(str(tmp_path), options, use_moving_average=False)
    assert found.info.num_classes == len(set(small_runs.COLOURS))


def test_exports_compute_what_the_cut_net_does(cut_run, tmp_path):
    classifier = classifiers.load(str(cut_run), NetOptions(), use_moving_average=False)
    check = Check(classifier, export_photos.generated())
    formats = ["saved_model", "tflite", "frozen_graph"]
    exported = export_model.export(Job(classifier), formats, str(tmp_path / "o"), check)
    assert len(dict(exported)) == len(formats)  # each was compared with the net itself


def test_the_probe_looks_at_the_depths_that_are_left(cut_run, images_dir, capsys):
    config = ProbeConfig(
        DataOptions(
            dataset_name=coloured_images.NAME,
            dataset_dir=str(images_dir),
            num_preprocessing_threads=1,
        ),
        ProbeOptions(checkpoint_path=str(cut_run)),
        ComputeOptions(),
    )
    assert probe.probe(config) == 0
    rows = re.findall(
        r"^\W*(Conv2d_|global_pool|Hidden_)", capsys.readouterr().out, re.M
    )
    assert rows == ["global_pool"]
