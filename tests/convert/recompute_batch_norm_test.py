"""Statistics of a finished checkpoint: those that training would have computed."""

import shutil

import numpy as np
import pytest

from checkpoints import model_info, slim_format
from config.predict_config import NetOptions
from convert import recompute_batch_norm
from convert.recompute_batch_norm import RecomputeConfig, RecomputeOptions
from engine import train_loop
from errors import UserError
from tests.engine import coloured_images, small_runs

STEPS = 2


@pytest.fixture(scope="module", autouse=True)
def small_net():
    with small_runs.net_registered():
        yield


@pytest.fixture(scope="module")
def images_dir(tmp_path_factory, small_net):
    return small_runs.write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def train(images_dir, tmp_path_factory):
    """A function: trains two steps with flags, gives the folder."""

    def train(**flags):
        train_dir = tmp_path_factory.mktemp("run")
        small_runs.train(
            dataset_dir=images_dir,
            train_dir=train_dir,
            batch_norm_decay=0.999,
            max_number_of_steps=STEPS,
            **flags,
        )
        return train_dir

    return train


@pytest.fixture(scope="module")
def lagging(train):
    return train(recompute_batch_norm="false", moving_average_decay=0.9)


@pytest.fixture
def recompute(images_dir):
    """A function: recomputes a checkpoint's statistics with flags."""

    def recompute(path, dataset_dir=images_dir, **flags):
        return recompute_batch_norm.recompute(
            RecomputeConfig(
                RecomputeOptions(
                    checkpoint_path=str(path),
                    **{"batch_size": small_runs.BATCH_SIZE, **flags},
                ),
                NetOptions(dataset_dir=str(dataset_dir)),
            )
        )

    return recompute


def test_a_finished_checkpoint_gets_what_training_computes(
    lagging, train, recompute, tmp_path
):
    output = tmp_path / "new" / "folder"
    prefix = recompute(lagging, output_dir=str(output))
    assert prefix == str(output / f"model.ckpt-{STEPS}")
    expected = small_runs.read_all(train(moving_average_decay=0.9), STEPS)
    found = small_runs.read_all(output, STEPS)
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, err_msg=name)
    statistic = "Tiny/Conv2d_2/BatchNorm/moving_variance"
    before = small_runs.read_all(lagging, STEPS)
    assert not np.allclose(found[statistic], before[statistic], rtol=0.1)
    assert model_info.read(str(output)) == model_info.read(str(lagging))
    assert (output / "labels.txt").read_text() == "0:red\n1:green\n2:blue\n"
    assert [path.name for path in output.parent.iterdir()] == ["folder"]


@pytest.mark.parametrize(
    "flags",
    [
        {"sampling": "balanced", "random_affine": "shear=20,zoom=0.3"},
        {"trainable_scopes": "Tiny/Conv2d_2,head", "feature_cache": "memory"},
        {"num_examples": 5},
    ],
)
def test_images_are_those_that_training_saw(flags, train, recompute):
    run = train(**flags)
    recompute(run)
    expected = small_runs.read_all(run, STEPS)
    found = small_runs.read_all(run / "recomputed", STEPS)
    scope = "Tiny/Conv2d_2/BatchNorm"
    for name in (f"{scope}/moving_mean", f"{scope}/moving_variance"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5)


def test_a_run_continues_from_it_as_if_nothing_had_happened(
    lagging, images_dir, recompute, tmp_path
):
    recompute(lagging, output_dir=str(tmp_path / "recomputed"))
    shutil.copytree(lagging, tmp_path / "copy")
    runs = []
    for name in ("copy", "recomputed"):
        config = small_runs.make_config(
            dataset_dir=images_dir,
            train_dir=tmp_path / name,
            batch_norm_decay=0.999,
            moving_average_decay=0.9,
            recompute_batch_norm="false",
            max_number_of_steps=STEPS + 1,
        )
        assert train_loop.train(config) == 0
        runs.append(small_runs.read_all(tmp_path / name, STEPS + 1))
    for name, value in runs[0].items():
        assert runs[1][name].tobytes() == value.tobytes(), name


def test_nothing_is_overwritten(lagging, recompute, tmp_path):
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(UserError, match="exists already: give another --output_dir"):
        recompute(lagging, output_dir=str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_other_classes_are_other_data(lagging, recompute, tmp_path):
    names = ("cat", "dog", "owl")
    coloured_images.write_split(
        tmp_path, "train", [0, 1, 2, 0], [0, 1, 2, 0], class_names=names
    )
    with pytest.raises(UserError, match="class 0 is 'red' there and 'cat' here"):
        recompute(lagging, tmp_path, output_dir=str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_batch_norms_that_were_frozen_keep_their_statistics(train, recompute, tmp_path):
    run = train(trainable_scopes="Tiny/Conv2d_2,head", recompute_batch_norm="false")
    recompute(run, output_dir=str(tmp_path / "out"))
    before = small_runs.read_all(run, STEPS)
    after = small_runs.read_all(tmp_path / "out", STEPS)
    changed = {n for n, v in before.items() if not np.array_equal(v, after[n])}
    scope = "Tiny/Conv2d_2/BatchNorm"
    assert changed == {f"{scope}/moving_mean", f"{scope}/moving_variance"}


def running_averages(folder):
    return [
        n for n in small_runs.read_all(folder, STEPS) if n.endswith("RunningAverage")
    ]


def test_a_checkpoint_that_does_not_tell_what_was_trained_is_asked_about(
    train, recompute, tmp_path
):
    run = train(optimizer="sgd", recompute_batch_norm="false")
    recompute(run)  # run.json tells
    assert len(running_averages(run / "recomputed")) == 4
    (run / "run.json").unlink()
    with pytest.raises(UserError, match=r"no optimizer slots .* \.\* for all"):
        recompute(run, output_dir=str(tmp_path / "out"))
    recompute(run, output_dir=str(tmp_path / "out"), trainable_scopes=".*")
    assert len(running_averages(tmp_path / "out")) == 4


def test_without_a_record_of_the_run_its_slots_tell_what_was_trained(
    train, recompute, tmp_path
):
    run = train(trainable_scopes="Tiny/Conv2d_1,head", recompute_batch_norm="false")
    (run / "run.json").unlink()
    recompute(run, output_dir=str(tmp_path / "out"))
    scopes = {n.partition("/moving")[0] for n in running_averages(tmp_path / "out")}
    assert scopes == {"Tiny/Conv2d_1/BatchNorm"}


def test_batch_norms_that_slims_way_left_to_drift_are_recomputed(train, recompute):
    run = train(trainable_scopes="head", freeze_batch_norm=False)
    recompute(run)
    assert len(running_averages(run / "recomputed")) == 4


def test_a_run_without_trained_batch_norms_has_nothing_to_recompute(
    train, recompute, tmp_path
):
    run = train(trainable_scopes="head")
    with pytest.raises(UserError, match="no batch norm was trained"):
        recompute(run, output_dir=str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_failure_leaves_nothing_behind(lagging, recompute, tmp_path, monkeypatch):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(slim_format, "write_checkpoint", full_disk)
    with pytest.raises(UserError, match="No space left"):
        recompute(lagging, output_dir=str(tmp_path / "out"))
    assert not list(tmp_path.iterdir())
