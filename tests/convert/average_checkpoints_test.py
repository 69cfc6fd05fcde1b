"""Averages of small runs from one start: weights, statistics, choice, refusals."""

import dataclasses
import json
import logging
import shutil

import numpy as np
import pytest

from checkpoints import model_info, slim_format
from config.eval_config import EvalConfig, EvalOptions
from config.predict_config import NetOptions
from config.shared_options import DataOptions, ModelOptions
from convert import average_checkpoints, recompute_batch_norm
from convert.average_checkpoints import AverageConfig, AverageOptions
from convert.recompute_batch_norm import RecomputeConfig, RecomputeOptions
from engine import evaluate
from errors import NotFiniteError, UserError
from tests.engine import small_runs

STEPS = 2
BIASES = "Tiny/Logits/biases"
STATISTIC = "Tiny/Conv2d_2/BatchNorm/moving_variance"


@pytest.fixture(scope="module", autouse=True)
def small_net():
    with small_runs.net_registered():
        yield


@pytest.fixture(scope="module")
def images_dir(tmp_path_factory, small_net):
    return small_runs.write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def runs(images_dir, tmp_path_factory):
    """Folders of a run, and of one that started from it."""
    folder = tmp_path_factory.mktemp("runs")
    for name, start in (("start", None), ("tuned", str(folder / "start"))):
        small_runs.train(
            dataset_dir=images_dir,
            train_dir=folder / name,
            max_number_of_steps=STEPS,
            checkpoint_path=start,
        )
    return folder / "start", folder / "tuned"


@pytest.fixture
def average(images_dir, tmp_path):
    """Averages checkpoints into tmp_path/soup; gives the variables written."""

    def average(*paths, dataset_dir=images_dir, **flags):
        output = tmp_path / "soup"
        prefix = average_checkpoints.average(
            AverageConfig(
                AverageOptions(
                    checkpoint_paths=",".join(map(str, paths)),
                    output_dir=str(output),
                    batch_size=small_runs.BATCH_SIZE,
                    **flags,
                ),
                NetOptions(dataset_dir=dataset_dir and str(dataset_dir)),
            )
        )
        assert prefix == str(output / f"model.ckpt-{STEPS}")
        return small_runs.read_all(output, STEPS)

    return average


def altered(run, folder, values=None, **info):
    """A copy of a run's checkpoint with other variables or another model.json."""
    folder.mkdir()
    tensors = small_runs.read_all(run, STEPS) | (values or {})
    slim_format.write_checkpoint(str(folder / "model.ckpt"), tensors)
    known = model_info.read(str(run))
    assert known
    dataclasses.replace(known, **info).write(str(folder))
    return folder


def metrics_of(folder, images_dir, eval_dir):
    config = EvalConfig(
        DataOptions(dataset_dir=str(images_dir)),
        ModelOptions(),
        EvalOptions(
            checkpoint_path=str(folder),
            eval_dir=str(eval_dir),
            dataset_split_name="validation",
            batch_size=5,
        ),
    )
    evaluate.evaluate(config, given={"dataset_split_name"})
    return json.loads((eval_dir / "metrics.json").read_text())


def test_the_mean_has_mean_weights_and_statistics_of_its_own(
    runs, average, images_dir, tmp_path, caplog
):
    caplog.set_level(logging.INFO, logger="absl")
    found = average(*runs)
    of_runs = [small_runs.read_all(run, STEPS) for run in runs]
    assert not np.array_equal(of_runs[0][BIASES], of_runs[1][BIASES])
    for name, value in found.items():
        if "/moving_" not in name:
            mean = (of_runs[0][name] + of_runs[1][name]) / 2
            np.testing.assert_allclose(value, mean, rtol=1e-6, err_msg=name)
    mean = (of_runs[0][STATISTIC] + of_runs[1][STATISTIC]) / 2
    assert not np.allclose(found[STATISTIC], mean, rtol=1e-3)
    assert found["global_step"] == STEPS
    assert not any(name.endswith(("Adam", "RMSProp", "Average")) for name in found)
    assert "do not share a start" not in caplog.text
    recompute_batch_norm.recompute(
        RecomputeConfig(
            RecomputeOptions(
                checkpoint_path=str(tmp_path / "soup"),
                batch_size=small_runs.BATCH_SIZE,
                trainable_scopes=".*",
            ),
            NetOptions(dataset_dir=str(images_dir)),
        )
    )
    again = small_runs.read_all(tmp_path / "soup" / "recomputed", STEPS)
    np.testing.assert_allclose(again[STATISTIC], found[STATISTIC], rtol=1e-5)
    info = model_info.read(str(tmp_path / "soup"))
    assert info == model_info.read(str(runs[0]))
    assert (tmp_path / "soup" / "labels.txt").read_text().startswith("0:red\n")


def test_batch_norms_that_did_not_train_keep_what_they_store(
    runs, average, tmp_path, caplog
):
    head = altered(
        runs[0], tmp_path / "head", {BIASES: np.array([1, 2, 3], np.float32)}
    )
    found = average(runs[0], head, dataset_dir=None)
    before = small_runs.read_all(runs[0], STEPS)
    np.testing.assert_array_equal(found[STATISTIC], before[STATISTIC])
    np.testing.assert_allclose(found[BIASES], (before[BIASES] + [1, 2, 3]) / 2)
    assert "do not share a start" in caplog.text


def test_wise_ft_writes_the_best_point_that_it_tells_of(
    runs, average, images_dir, tmp_path, capsys
):
    # The start says blue, and what was tuned red: 1 of 5 is blue, 2 are red.
    ends = [
        altered(
            runs[0], tmp_path / name, {BIASES: np.eye(3, dtype=np.float32)[i] * 100}
        )
        for name, i in (("blue", 2), ("red", 0))
    ]
    found = average(*ends, method="wise_ft", alphas="0,0.25,1")
    table = [line.split() for line in capsys.readouterr().out.splitlines()]
    rows = [row for row in table if row and row[0] in ("0", "0.25", "1")]
    assert [row[:2] for row in rows] == [
        ["0", "0.2000"],
        ["0.25", "0.2000"],
        ["1", "0.4000"],
    ]
    assert rows[2][3] == "best"
    np.testing.assert_array_equal(found[BIASES], [100, 0, 0])
    metrics = metrics_of(tmp_path / "soup", images_dir, tmp_path / "eval")
    assert metrics["accuracy"] == 0.4
    assert f"{metrics['loss']:.4f}" == rows[2][2]


def test_a_greedy_soup_leaves_out_what_lowers_it(runs, average, tmp_path, capsys):
    # 2 of 5 images are red: a mean that says blue is worse.
    paths = [
        altered(runs[0], tmp_path / name, {BIASES: np.array(biases, np.float32)})
        for name, biases in (("blue", [0, 0, 900]), ("red", [300, 0, 0]))
    ]
    found = average(*paths, method="greedy")
    np.testing.assert_array_equal(found[BIASES], [300, 0, 0])
    out = capsys.readouterr().out
    assert out.index("red/model.ckpt") < out.index("blue/model.ckpt")
    assert out.index("left out") > out.index("blue/model.ckpt")


@pytest.mark.parametrize(
    ("info", "values", "message"),
    [
        (
            {"class_names": ("red", "blue", "green")},
            {},
            "the same names in another ord",
        ),
        ({"image_size": 32}, {}, "image_size is 16 in .*start.* and 32 in .*other"),
        (
            {"model_name": "lenet"},
            {},
            "model_name is tiny in .*start.* lenet in .*other",
        ),
        (
            {},
            {BIASES: np.zeros(4, np.float32)},
            r"biases has the shape \(3,\) in .*start.* and \(4,\) in .*other",
        ),
    ],
)
def test_checkpoints_that_have_no_average(
    runs, average, tmp_path, info, values, message
):
    other = altered(runs[0], tmp_path / "other", values, **info)
    with pytest.raises(UserError, match=message):
        average(runs[0], other, dataset_dir=None)
    assert not (tmp_path / "soup").exists()


def test_spoilt_weights_spoil_no_average(runs, average, tmp_path):
    spoilt = altered(
        runs[0], tmp_path / "bad", {BIASES: np.full(3, np.nan, np.float32)}
    )
    with pytest.raises(NotFiniteError, match=r"bad/model\.ckpt: Tiny/Logits/biases"):
        average(runs[0], spoilt)
    assert not (tmp_path / "soup").exists()


def test_checkpoints_and_flags_that_do_not_go_together(runs, average, tmp_path):
    start, tuned = runs
    with pytest.raises(UserError, match=r"names .*start.* twice"):
        average(start, start)
    with pytest.raises(UserError, match="one checkpoint has no average"):
        average(start)
    with pytest.raises(
        UserError, match=r"wise_ft takes two --checkpoint_paths.* got 3"
    ):
        average(start, tuned, start, method="wise_ft")
    with pytest.raises(UserError, match="2 batch norms were trained"):
        average(start, tuned, dataset_dir=None)
    with pytest.raises(UserError, match="--alphas=0,2: expected numbers from 0 to 1"):
        average(start, tuned, method="wise_ft", alphas="0,2")
    with pytest.raises(UserError, match=r"--alphas applies only to --method=wise_ft"):
        average(start, tuned, alphas="0.5")
    with pytest.raises(UserError, match=r"--eval_split_name=test applies only to --m"):
        average(start, tuned, eval_split_name="test")
    shutil.copytree(start, tmp_path / "soup")
    with pytest.raises(UserError, match="soup exists already"):
        average(start, tuned)
