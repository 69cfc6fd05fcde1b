"""Evaluation through the real story, with nets whose answer is known.

The last layer's weights are 0 and its biases name a class: the net gives this class
for every image.
"""

import csv
import json
import logging
import math
import shutil

import numpy as np
import pytest

from checkpoints import slim_format
from config.eval_config import EvalConfig, EvalOptions
from config.shared_options import ComputeOptions, DataOptions, ModelOptions
from engine import evaluate
from engine.interruption import Interruption
from engine.restored import eval_options
from errors import NotFiniteError, UserError
from nets.network import Network
from tests.engine import coloured_images, small_runs

MODEL = "mobilenet_v1_025"
IMAGE_SIZE = 32
LOGITS = "MobilenetV1/Logits/Conv2d_1c_1x1"
LABELS = [0, 1, 1, 2, 1, 0, 1]
CONFIDENT_LOSS = math.log(1 + 2 * math.exp(-3))  # logits 3, 0, 0


@pytest.fixture(scope="module")
def weights():
    """Variables of a net, by a function of the class that it always gives."""
    network = Network(MODEL, num_classes=3, image_size=IMAGE_SIZE)
    values = {n: v.numpy() for n, v in network.model_variables.items()}

    def answering(label: int, suffix: str = "") -> dict[str, np.ndarray]:
        head = {
            f"{LOGITS}/weights": np.zeros_like(values[f"{LOGITS}/weights"]),
            f"{LOGITS}/biases": np.eye(3, dtype=np.float32)[label] * 3,
        }
        return {f"{n}{suffix}": v for n, v in (values | head).items()}

    return answering


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    return coloured_images.write_split(folder, "validation", [0] * 7, LABELS)


@pytest.fixture
def run(data_dir, tmp_path):
    """Evaluates with options; gives the exit status."""

    def run(
        checkpoint_path,
        dataset_dir=data_dir,
        max_bad_records=0,
        precision="float32",
        **options,
    ) -> int:
        config = EvalConfig(
            DataOptions(
                dataset_name=coloured_images.NAME,
                dataset_dir=str(dataset_dir),
                max_bad_records=max_bad_records,
            ),
            ModelOptions(model_name=MODEL),
            EvalOptions(
                checkpoint_path=str(checkpoint_path),
                eval_dir=str(tmp_path / "eval"),
                batch_size=4,
                eval_image_size=IMAGE_SIZE,
                **options,
            ),
            ComputeOptions(precision=precision),
        )
        return evaluate.evaluate(config, given=frozenset())

    return run


def test_bfloat16_sees_the_same_to_two_digits(run, weights, tmp_path):
    slim_format.write_checkpoint(str(tmp_path / "published"), weights(1))
    assert run(tmp_path / "published", precision="mixed_bfloat16") == 0
    metrics = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    assert metrics["accuracy"] == 4 / 7
    loss = (4 * CONFIDENT_LOSS + 3 * (CONFIDENT_LOSS + 3)) / 7
    assert metrics["loss"] == pytest.approx(loss, rel=0.01)


def test_lines_files_and_figures_agree(run, weights, tmp_path, capsys):
    slim_format.write_checkpoint(str(tmp_path / "published"), weights(1))
    assert run(tmp_path / "published") == 0

    loss = (4 * CONFIDENT_LOSS + 3 * (CONFIDENT_LOSS + 3)) / 7
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "eval/Accuracy[0.5714]",
        "eval/Recall_5[1.0000]",
        f"eval/Loss[{loss:.4f}]",
    ]
    assert lines[3].startswith("7 images of colours/validation, checkpoint ")
    assert lines[3].endswith("published at step 0")

    metrics = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    with open(tmp_path / "eval" / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    hits = [row["label"] == row["predicted"] for row in rows]
    assert metrics["accuracy"] == np.mean(hits) == 4 / 7
    assert metrics["loss"] == pytest.approx(loss, rel=1e-5)
    assert metrics["split"] == "validation"
    share = math.exp(-CONFIDENT_LOSS)
    assert [float(row["probability"]) for row in rows] == pytest.approx(
        [share] * 7, abs=1e-6
    )


@pytest.fixture
def evaluate_run(full_run, tmp_path):
    """Evaluates a copy of a run; its folder is all that is named by default."""

    def evaluate_run(folder="", **data):
        config = EvalConfig(
            DataOptions(**data),
            ModelOptions(),
            EvalOptions(checkpoint_path=str(tmp_path / "run" / folder)),
        )
        return evaluate.evaluate(config, given={"checkpoint_path", *data})

    shutil.copytree(full_run, tmp_path / "run")
    return evaluate_run


@pytest.mark.parametrize("folder", ["", "best"])
def test_a_run_needs_no_other_flag(
    evaluate_run, folder, images_dir, tmp_path, caplog, capsys
):
    caplog.set_level(logging.INFO, logger="absl")
    assert evaluate_run(folder) == 0
    metrics = json.loads(
        (tmp_path / "run" / folder / "eval" / "metrics.json").read_text()
    )
    assert (metrics["model"], metrics["dataset"]) == ("tiny", coloured_images.NAME)
    assert (metrics["split"], metrics["images"]) == ("validation", 5)
    for taken in (
        f"--dataset_dir={images_dir}",
        f"--eval_dir={tmp_path / 'run' / folder / 'eval'}",
        f"--model_name={small_runs.NET}",
        f"--eval_image_size={small_runs.IMAGE_SIZE}",
    ):
        assert taken in caplog.text


def test_data_that_were_moved_are_named_by_a_flag(evaluate_run, images_dir, tmp_path):
    file = tmp_path / "run" / "run.json"
    record = json.loads(file.read_text())
    file.write_text(json.dumps(record | {"dataset_dir": str(tmp_path / "gone")}))
    with pytest.raises(UserError, match=r"gone, the data .*with --dataset_dir"):
        evaluate_run()
    assert evaluate_run(dataset_dir=str(images_dir)) == 0


def test_a_checkpoint_of_no_run_needs_its_data_named(evaluate_run, tmp_path):
    (tmp_path / "run" / "run.json").unlink()
    with pytest.raises(UserError, match="--dataset_dir is missing"):
        evaluate_run()


def test_bad_records_are_skipped_and_reported(run, weights, tmp_path, capsys):
    labels = [0, 7, 1, 1, 2, 1, 0, 1, -1]
    folder = coloured_images.write_split(
        tmp_path / "data", "validation", [0] * 9, labels
    )
    slim_format.write_checkpoint(str(tmp_path / "published"), weights(1))
    assert run(tmp_path / "published", folder, max_bad_records=2) == 0
    printed = capsys.readouterr().out
    assert "eval/Accuracy[0.5714]" in printed
    assert "7 images of colours/validation (bad records skipped: 2), " in printed
    metrics = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    assert (metrics["images"], metrics["bad_records"]) == (7, 2)
    with open(tmp_path / "eval" / "predictions.csv", encoding="utf-8") as file:
        places = [int(row["record"]) for row in csv.DictReader(file)]
    assert places == [0, 2, 0, 1, 2, 3, 4]
    with pytest.raises(UserError, match=r"record 5 .*its label -1 is out of range"):
        run(tmp_path / "published", folder, max_bad_records=1)


def test_moving_averages_and_part_of_the_images(run, weights, tmp_path, capsys):
    slim_format.write_checkpoint(
        str(tmp_path / "run" / "model.ckpt-20"),
        weights(2)
        | weights(0, "/ExponentialMovingAverage")
        | {"global_step": np.int64(20)},
    )
    assert run(tmp_path / "run", moving_average_decay=0.999, max_num_batches=1) == 0
    out = capsys.readouterr().out
    assert "eval/Accuracy[0.2500]" in out  # 0 of 0, 1, 1, 2
    assert "4 images of" in out
    assert "at step 20" in out


def test_spoilt_weights(run, weights, tmp_path):
    values = weights(1)
    values[f"{LOGITS}/biases"] = np.array([np.nan, 0, 0], np.float32)
    slim_format.write_checkpoint(str(tmp_path / "published"), values)
    with pytest.raises(NotFiniteError, match="7 of 7 images"):
        run(tmp_path / "published")
    assert not (tmp_path / "eval" / "metrics.json").exists()


def test_watching_survives_a_checkpoint_that_is_gone(
    run, weights, tmp_path, capsys, monkeypatch
):
    slim_format.write_checkpoint(str(tmp_path / "model.ckpt-2"), weights(1))
    slim_format.write_checkpoint(str(tmp_path / "model.ckpt-3"), {"a": np.zeros(1)})
    paths = [str(tmp_path / f"model.ckpt-{step}") for step in (1, 2, 3)]
    monkeypatch.setattr(evaluate, "new_checkpoints", lambda *_: iter(paths))
    with pytest.raises(UserError, match=r"model\.ckpt-3 holds no variable of"):
        run(tmp_path, eval_interval_secs=1)
    assert capsys.readouterr().out.count("eval/Accuracy") == 1


@pytest.mark.parametrize("path", ["model.ckpt-2", "model.ckpt-2.index"])
def test_watching_a_single_checkpoint_is_refused(run, tmp_path, path):
    slim_format.write_checkpoint(str(tmp_path / "model.ckpt-2"), {"a": np.zeros(1)})
    with pytest.raises(UserError, match="watches a folder"):
        run(tmp_path / path, eval_interval_secs=1)


@pytest.mark.parametrize(
    ("splits", "validated", "chosen"),
    [
        (("test", "train", "validation"), None, "test"),
        (("train", "validation"), None, "validation"),
        (("other", "train", "validation"), None, "validation"),
        (("train", "val"), None, "val"),
        (("a", "b", "train"), None, "test"),
        (("train",), None, "test"),
        (("test", "train", "validation"), "validation", "test"),
        (("a", "b", "train", "validation"), "b", "b"),
        (("train", "validation"), "gone", "validation"),
    ],
)
def test_the_split_when_none_is_named(splits, validated, chosen):
    assert eval_options.choose_split("test", splits, validated) == chosen


class _Watch:
    """Watches a folder; what appears while it sleeps is scripted."""

    def __init__(self, folder, monkeypatch, *events) -> None:
        self._folder = folder
        self._events = list(events)
        self._interrupted = Interruption()
        monkeypatch.setattr(evaluate, "_sleep", self._sleep)

    def _sleep(self, secs, interrupted) -> None:
        assert secs == 5
        if self._events:
            self._events.pop(0)()
        else:
            interrupted.signal_number = 15

    def add(self, *steps, remove=()) -> None:
        for step in steps:
            slim_format.write_checkpoint(self._path(step), {"a": np.zeros(1)})
        for step in remove:
            slim_format.remove_checkpoint(self._path(step))

    def _path(self, step) -> str:
        return str(self._folder / f"model.ckpt-{step}")

    def steps(self) -> list[int | None]:
        paths = evaluate.new_checkpoints(str(self._folder), 5, self._interrupted)
        return [slim_format.step_of(path) for path in paths]


def test_the_newest_then_every_new_one_each_once(tmp_path, monkeypatch):
    watch: _Watch = _Watch(
        tmp_path,
        monkeypatch,
        lambda: watch.add(200),
        lambda: None,
        lambda: watch.add(300, 1000, remove=(9, 10)),
    )
    watch.add(9, 10, 100)
    assert watch.steps() == [100, 200, 300, 1000]


def test_waits_for_the_folder_and_its_first_checkpoint(tmp_path, monkeypatch):
    folder = tmp_path / "not_yet"
    watch: _Watch = _Watch(folder, monkeypatch, folder.mkdir, lambda: watch.add(1))
    assert watch.steps() == [1]


def test_a_run_that_starts_anew_makes_the_same_names(tmp_path, monkeypatch):
    watch: _Watch = _Watch(
        tmp_path, monkeypatch, lambda: watch.add(remove=(7,)), lambda: watch.add(7)
    )
    watch.add(7)
    assert watch.steps() == [7, 7]


def test_a_checkpoint_without_its_data_is_not_there_yet(tmp_path, monkeypatch):
    watch: _Watch = _Watch(tmp_path, monkeypatch)
    watch.add(1, 2)
    (tmp_path / "model.ckpt-2.data-00000-of-00001").unlink()
    assert watch.steps() == [1]


def test_an_interruption_ends_the_watch_between_two(tmp_path):
    interrupted = Interruption()
    slim_format.write_checkpoint(str(tmp_path / "model.ckpt-1"), {"a": np.zeros(1)})
    paths = evaluate.new_checkpoints(str(tmp_path), 600, interrupted)
    assert next(paths).endswith("model.ckpt-1")
    interrupted.signal_number = 2
    assert list(paths) == []


def test_an_empty_first_class_is_left_out_where_the_net_has_none(
    weights, tmp_path, capsys
):
    """ImageNet's 1001 classes with a net of 1000, on a smaller scale."""
    names = ("none", "red", "green", "blue")
    data_dir = coloured_images.write_split(
        tmp_path / "data", "validation", [0, 1], [1, 2], class_names=names
    )
    slim_format.write_checkpoint(str(tmp_path / "published"), weights(1))
    config = EvalConfig(
        DataOptions(dataset_name=coloured_images.NAME, dataset_dir=str(data_dir)),
        ModelOptions(model_name=MODEL),
        EvalOptions(
            checkpoint_path=str(tmp_path / "published"),
            eval_dir=str(tmp_path / "eval"),
            eval_image_size=IMAGE_SIZE,
        ),
    )
    assert evaluate.evaluate(config, given=frozenset()) == 0
    assert "eval/Accuracy[0.5000]" in capsys.readouterr().out
    with pytest.raises(UserError, match="--labels_offset=1 makes them fit"):
        evaluate.evaluate(config, given=frozenset(["labels_offset"]))
