"""Averages of checkpoints and views, with nets whose answer is known.

The last layer's weights are 0: its biases are the logits of every image.
"""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from checkpoints import model_info, slim_format
from config.eval_config import EvalConfig, EvalOptions
from config.shared_options import DataOptions, ModelOptions
from engine import evaluate
from engine.restored import eval_options
from errors import UserError
from tests.engine import small_runs

STEP = 6
LABELS = small_runs.COLOURS[:5]


@pytest.fixture
def answering(full_run, tmp_path):
    """A function: a folder with a net of such logits."""

    def answering(name, logits, **info):
        folder = tmp_path / name
        folder.mkdir()
        values = small_runs.read_all(full_run, STEP)
        values["Tiny/Logits/weights"] *= 0
        values["Tiny/Logits/biases"] = np.array(logits, np.float32)
        slim_format.write_checkpoint(str(folder / f"model.ckpt-{STEP}"), values)
        known = model_info.read(str(full_run))
        assert known
        dataclasses.replace(known, **info).write(str(folder))
        return folder

    return answering


@pytest.fixture
def metrics(images_dir, tmp_path):
    """A function: evaluates checkpoints, gives metrics.json."""

    def metrics(*paths, **options):
        eval_dir = tmp_path / "eval"
        config = EvalConfig(
            DataOptions(dataset_dir=str(images_dir)),
            ModelOptions(),
            EvalOptions(
                checkpoint_path=",".join(map(str, paths)),
                **{"batch_size": 4, "eval_dir": str(eval_dir), **options},
            ),
        )
        given = {"checkpoint_path", "dataset_dir", "eval_dir"}
        assert evaluate.evaluate(config, given=given) == 0
        return json.loads((eval_dir / "metrics.json").read_text())

    return metrics


def test_an_ensemble_has_the_mean_probabilities(answering, metrics, capsys):
    paths = answering("a", [3, 0, 0]), answering("b", [0, 2, 200])
    found = metrics(*paths)
    # The second is sure of blue; e^-200 and e^-198 are no float32, but half of the
    # first's share is.
    first = np.exp([3, 0, 0]) / np.exp([3, 0, 0]).sum()
    mean = (first + np.array([0, 0, 1])) / 2
    assert found["loss"] == pytest.approx(-np.log(mean[LABELS]).mean(), rel=1e-5)
    assert found["accuracy"] == np.mean(np.array(LABELS) == mean.argmax())
    files = [str(path / f"model.ckpt-{STEP}") for path in paths]
    assert found["checkpoint"] == ",".join(files)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"eval/Accuracy[{found['accuracy']:.4f}]"
    assert "mean probabilities of" in lines[3]
    assert f"{files[1]} at step {STEP}" in lines[3]


def test_views_and_a_copy_of_the_net_change_nothing_of_plain_images(
    full_run, metrics, tmp_path
):
    alone = metrics(full_run)
    assert "tta" not in alone
    copy = shutil.copytree(full_run, tmp_path / "copy")
    views = metrics(full_run, copy, tta="flip,ten_crop")
    assert views.pop("tta") == "flip,ten_crop"
    assert views["loss"] == pytest.approx(alone["loss"], rel=1e-4)
    assert views["accuracy"] == alone["accuracy"]


def test_what_has_no_average_is_refused(answering, metrics, full_run):
    names = ("red", "blue", "green")
    other = answering("other", [1, 2, 3], class_names=names)
    with pytest.raises(UserError, match="in the same order, can be averaged"):
        metrics(full_run, other)
    with pytest.raises(UserError, match="its order"):
        metrics(other, tta="flip")
    with pytest.raises(
        UserError, match=r"--eval_dir is missing: .* several checkpoints"
    ):
        metrics(full_run, other, eval_dir="/tmp/tfmodel/")
    with pytest.raises(UserError, match=rf"names {full_run}/model.ckpt-\d+ twice"):
        metrics(full_run, f"{full_run}/checkpoint")
    with pytest.raises(UserError, match=r"--eval_interval_secs watches .* \(--tta\)"):
        metrics(full_run, tta="flip", eval_interval_secs=1)
    with pytest.raises(UserError, match="--tta=flop: expected flip or ten_crop"):
        metrics(full_run, tta="flop")


def test_a_single_path_may_hold_a_comma(tmp_path):
    folder = tmp_path / "a,b"
    folder.mkdir()
    assert eval_options.checkpoint_paths(str(folder)) == [str(folder)]
    assert eval_options.checkpoint_paths("a, b") == ["a", "b"]
