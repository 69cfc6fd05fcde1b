"""Figures worked by hand from six predictions, and the files read back."""

import csv
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from engine.evaluation.evaluation import Results
from engine.report import reports
from errors import UserError
from tests.engine import coloured_images

NAMES = ("red, dark", "grün", "名\n前", "never")
LABELS = [0, 0, 0, 1, 1, 2]
PREDICTED = [0, 0, 1, 1, 2, 2]
PHOTOS = ["a, b.png", None, "ü.png", "caf\udce9.png", "new\nline.png", "f.png"]


@pytest.fixture(scope="module")
def results():
    return Results(
        labels=np.array(LABELS, np.int32),
        predicted=np.array(PREDICTED, np.int32),
        probabilities=np.array([0.9, 0.8, 0.7, 0.6, 0.5, 1], np.float32),
        in_top_5=np.array([1, 1, 1, 1, 0, 1], bool),
        losses=np.array([1, 2, 3, 4, 5, 6], np.float32),
        shards=np.array([0, 0, 0, 1, 1, 1], np.int32),
        records=np.array([0, 1, 2, 0, 1, 2], np.int32),
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory, results):
    """The folder of reports of the results, written twice."""
    tmp_path = tmp_path_factory.mktemp("reports")
    data = coloured_images.write_split(
        tmp_path / "data", "test", [0] * 6, LABELS, filenames=PHOTOS
    )
    names = "0:red, dark\n1:grün\n2:名\\n前\n3:never\n"
    (data / "labels.txt").write_text(names, encoding="utf-8")
    reporter = reports.Reporter(
        str(tmp_path / "new" / "eval"),
        coloured_images.get_split(data, "test"),
        model_name="inception_v3",
        labels_offset=0,
    )
    left = tmp_path / "new" / "eval" / ".evaluation.tmp-left"
    for step in (3, 5):
        left.mkdir()  # as by SIGKILL
        (left / "metrics.json").write_text("{}")
        reporter.write(
            results,
            checkpoint_path=f"/run/model.ckpt-{step}",
            step=step,
            uses_moving_average=True,
        )
    return tmp_path / "new" / "eval"


def _rows(path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_what_a_killed_evaluation_left_is_removed(written):
    assert not list(written.glob(".*"))


def test_scores_of_each_class(results):
    scores = reports.score(results, 4)
    assert scores.matrix.toarray().tolist() == [
        [2, 1, 0, 0],
        [0, 1, 1, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 0],
    ]
    np.testing.assert_allclose(scores.precision, [1, 1 / 2, 1 / 2, 0])
    np.testing.assert_allclose(scores.recall, [2 / 3, 1 / 2, 1, 0])
    np.testing.assert_allclose(scores.f1, [4 / 5, 1 / 2, 2 / 3, 0])
    assert scores.most_confused_with == [1, 2, None, None]


def test_averages_are_over_the_classes_that_occur(results):
    scores = reports.score(results, 4)
    assert scores.macro == pytest.approx(
        {"precision": 2 / 3, "recall": 13 / 18, "f1": (4 / 5 + 1 / 2 + 2 / 3) / 3}
    )
    assert scores.weighted == pytest.approx(
        {"precision": 4.5 / 6, "recall": 4 / 6, "f1": (3 * 4 / 5 + 1 + 2 / 3) / 6}
    )


def test_metrics_json(written):
    metrics = json.loads((written / "metrics.json").read_text())
    assert metrics.pop("macro").keys() == {"precision", "recall", "f1"}
    assert metrics.pop("weighted")["recall"] == pytest.approx(4 / 6)
    assert metrics == pytest.approx(
        {
            "accuracy": 4 / 6,
            "recall_5": 5 / 6,
            "loss": 3.5,
            "images": 6,
            "bad_records": 0,
            "step": 5,
            "checkpoint": "/run/model.ckpt-5",
            "moving_average": True,
            "dataset": "colours",
            "split": "test",
            "model": "inception_v3",
        }
    )


def test_per_class_csv(written):
    rows = _rows(written / "per_class.csv")
    assert [row["class"] for row in rows] == list(NAMES)
    assert [row["images"] for row in rows] == ["3", "2", "1", "0"]
    assert [row["most_confused_with"] for row in rows] == [NAMES[1], NAMES[2], "", ""]
    assert rows[0]["precision"] == "1.000000"
    assert rows[0]["recall"] == "0.666667"
    assert rows[0]["f1"] == "0.800000"


def test_predictions_csv(written):
    rows = _rows(written / "predictions.csv")
    assert [row["label"] for row in rows] == [NAMES[i] for i in LABELS]
    assert [row["predicted"] for row in rows] == [NAMES[i] for i in PREDICTED]
    assert [row["correct"] for row in rows] == ["1", "1", "0", "1", "0", "1"]
    assert [row["record"] for row in rows] == ["0", "1", "2", "0", "1", "2"]
    assert rows[3]["shard"] == "colours_test_00001-of-00002.tfrecord"
    assert rows[0]["probability"] == "0.900000"
    photos = ["a, b.png", "", "ü.png", "caf\\xe9.png", "new\nline.png", "f.png"]
    assert [row["filename"] for row in rows] == photos


def test_picture_and_tensorboard(written):
    size = Image.open(written / "confusion_matrix.png").size
    events = EventAccumulator(str(written), {"tensors": 0}).Reload()
    accuracy = events.Tensors("eval/Accuracy")
    assert [event.step for event in accuracy] == [3, 5]
    last = {
        tag: events.Tensors(tag)[-1].tensor_proto for tag in events.Tags()["tensors"]
    }
    scalars = {tag: float(tf.make_ndarray(last[tag])) for tag in last if tag[-1] != "x"}
    assert scalars == pytest.approx(
        {
            "eval/Accuracy": 4 / 6,
            "eval/Recall_5": 5 / 6,
            "curves/accuracy": 4 / 6,
            "curves/loss": 3.5,
        }
    )
    width, height, _png = tf.make_ndarray(last["eval/confusion_matrix"])
    assert (int(width), int(height)) == size


def test_nothing_but_the_reports_is_left(written):
    names = {path.name for path in written.iterdir() if "tfevents" not in path.name}
    assert names == {
        "metrics.json",
        "per_class.csv",
        "predictions.csv",
        "confusion_matrix.png",
    }


def test_labels_offset_leaves_out_the_first_names(tmp_path, results):
    names = ("background", "a", "b", "c")
    data = coloured_images.write_split(
        tmp_path, "test", [0] * 6, [1 + i for i in LABELS], class_names=names
    )
    reporter = reports.Reporter(
        str(tmp_path / "eval"),
        coloured_images.get_split(data, "test"),
        model_name="net",
        labels_offset=1,
    )
    reporter.write(results, checkpoint_path="x", step=0, uses_moving_average=False)
    rows = _rows(tmp_path / "eval" / "per_class.csv")
    assert [row["class"] for row in rows] == ["a", "b", "c"]
    assert [row["images"] for row in rows] == ["3", "2", "1"]
    assert _rows(tmp_path / "eval" / "predictions.csv")[0]["label"] == "a"


def test_a_folder_that_cannot_be_written(tmp_path):
    data = coloured_images.write_split(tmp_path / "data", "test", [0], [0])
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"--eval_dir=.*file cannot be written"):
        reports.Reporter(
            str(tmp_path / "file"),
            coloured_images.get_split(data, "test"),
            model_name="net",
            labels_offset=0,
        )


@pytest.fixture
def evaluation(tmp_path, results):
    """Writes an evaluation of a step into one folder."""
    data = coloured_images.write_split(
        tmp_path / "data", "test", [0] * 6, LABELS, class_names=("r", "g", "b", "n")
    )
    split = coloured_images.get_split(data, "test")

    def write(step, **flags):
        folder = tmp_path / "eval"
        reporter = reports.Reporter(
            str(folder), split, model_name="m", labels_offset=0, **flags
        )
        path = f"/run/model.ckpt-{step}"
        reporter.write(
            results, checkpoint_path=path, step=step, uses_moving_average=False
        )
        return folder

    return write


def test_no_page_of_an_earlier_evaluation_stays_with_new_figures(evaluation):
    folder = evaluation(3, with_page=True)
    assert (folder / "report.html").exists()
    (folder / "notes.txt").write_text("the user's own")
    evaluation(5)
    assert not (folder / "report.html").exists()
    assert (folder / "notes.txt").exists()
    assert json.loads((folder / "metrics.json").read_text())["step"] == 5


def test_an_evaluation_that_fails_half_way_leaves_the_earlier_one(
    evaluation, monkeypatch
):
    folder = evaluation(3, with_page=True)

    def files():
        paths = folder.glob("[!e]*")
        return {path.name: path.read_bytes() for path in paths}

    before = files()
    assert len(before) == 5
    written = []

    def full_disk(folder, name, content):
        written.append(name)
        if name == "confusion_matrix.png":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(reports, "_write", full_disk)
    with pytest.raises(UserError, match="No space left on device"):
        evaluation(5, with_page=True)
    assert written[-1] == "confusion_matrix.png"
    assert files() == before
    assert not list(folder.glob(".evaluation*"))
