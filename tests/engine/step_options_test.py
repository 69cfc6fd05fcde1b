"""Every optimizer and option of a step, on one and two clones, in each precision."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

from nets.network import COMPUTE_DTYPES
from tests.engine import small_runs
from tests.engine.step_options import CASES, STEPS

WALK = [(p, case) for p in COMPUTE_DTYPES for case in CASES]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """In a process of its own: the number of devices is settled once a process."""
    path = tmp_path_factory.mktemp("walk") / "found.npz"
    command = [sys.executable, "-m", "tests.engine.step_options", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(np.load(path))


def values(found, *parts):
    prefix = "/".join([*map(str, parts), ""])
    return {n.removeprefix(prefix): v for n, v in found.items() if n.startswith(prefix)}


@pytest.mark.parametrize("clones", [1, 2])
@pytest.mark.parametrize(("precision", "case"), WALK)
def test_the_steps_change_what_is_trained(found, clones, precision, case):
    before = values(found, clones, precision, case, "before")
    after = values(found, clones, precision, case, "after")
    assert all(np.isfinite(value).all() for value in after.values())
    assert after["global_step"] == STEPS
    statistics = {"Tiny/Conv2d_1/BatchNorm/moving_mean"}
    for name in {*values(found, 1, precision, case, "replica 0"), *statistics}:
        assert not np.array_equal(before[name], after[name]), name
    if "moving_average_decay" in CASES[case]:
        weights = "Tiny/Logits/weights"
        average = after[f"{weights}/ExponentialMovingAverage"]
        assert not np.array_equal(average, before[weights])
        assert not np.array_equal(average, after[weights])


@pytest.mark.parametrize(
    "case", [c for c in CASES if "starting_point_decay" in CASES[c]]
)
def test_starting_points_stay_where_they_are(found, case):
    for clones, precision in itertools.product([1, 2], COMPUTE_DTYPES):
        before = values(found, clones, precision, case, "before")
        points = {n for n in before if n.endswith("/StartingPoint")}
        assert len(points) == 5
        after = values(found, clones, precision, case, "after")
        for name in points:
            assert after[name].tobytes() == before[name].tobytes(), name


@pytest.mark.parametrize(("precision", "case"), WALK)
def test_two_clones_hold_the_same_bytes(found, precision, case):
    after = values(found, 2, precision, case, "after")
    of_second = values(found, 2, precision, case, "replica 1")
    assert len(of_second) == 5  # weights, gamma and beta; weights and biases
    for name, value in of_second.items():
        assert value.tobytes() == after[name].tobytes(), name


# Mixup draws its pairs and shares on each clone separately.
@pytest.mark.parametrize(
    ("precision", "case"), [(p, c) for p, c in WALK if "mixup_alpha" not in CASES[c]]
)
def test_two_clones_on_the_same_images_do_what_one_does(found, precision, case):
    one = values(found, 1, precision, case, "after")
    two = values(found, 2, precision, case, "after")
    assert set(one) == set(two)
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("precision", [p for p in COMPUTE_DTYPES if p != "float32"])
def test_half_precision_goes_the_way_of_float32(found, precision, case):
    exact = values(found, 1, "float32", case, "after")
    rounded = values(found, 1, precision, case, "after")
    assert rounded["total_loss"] == pytest.approx(exact["total_loss"], rel=0.02)
    for name, value in values(found, 1, precision, case, "replica 0").items():
        np.testing.assert_allclose(value, exact[name], atol=0.02, err_msg=name)


@pytest.mark.parametrize("precision", COMPUTE_DTYPES)
def test_cached_features_train_in_each_precision(images_dir, tmp_path, precision):
    small_runs.train(
        dataset_dir=images_dir,
        train_dir=tmp_path,
        precision=precision,
        feature_cache="memory",
        trainable_scopes="Tiny/Conv2d_2,head",
        max_number_of_steps=STEPS,
        save_interval_secs=600,
    )
    saved = small_runs.read_all(tmp_path, STEPS)
    assert all(np.isfinite(value).all() for value in saved.values())
    slots = {n for n in saved if n.startswith("Tiny/Conv2d_2") and "RMSProp" in n}
    assert slots
    assert all(np.any(saved[n] != 1) for n in slots if n.endswith("RMSProp"))
