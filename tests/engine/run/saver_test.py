"""When checkpoints are written, with a clock that the test turns."""

import time

import numpy as np
import pytest

from checkpoints.checkpoint_folder import CheckpointFolder
from engine.run.saver import Saver
from errors import NotFiniteError, UserError
from tests.engine import small_runs


class _State:
    """A state of one value."""

    value = 1.0

    def arrays(self, statistics):
        if not np.isfinite(self.value):
            raise NotFiniteError("w is not finite after step 7")
        return {"w": np.float32(self.value), **statistics}


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def state():
    return _State()


@pytest.fixture
def saver(tmp_path, state, clock, at_once):
    folder = CheckpointFolder(str(tmp_path), keep=5)
    return Saver(folder, state, 60, at_once)


def test_it_saves_once_an_interval(saver, clock, tmp_path):
    for step in range(1, 10):
        clock[0] = step * 25.0
        if saver.is_due:
            saver.save(step)
    assert small_runs.steps_saved(tmp_path) == [3, 6, 9]


def test_saving_by_hand_starts_the_interval_anew(saver, clock, tmp_path):
    clock[0] = 50
    saver.save(1)
    clock[0] = 100
    assert not saver.is_due
    assert small_runs.steps_saved(tmp_path) == [1]


def test_nothing_is_saved_where_another_run_has_taken_the_folder(saver, tmp_path):
    (tmp_path / ".lock").write_text("process 12 on n2")
    with pytest.raises(UserError, match="taken over by process 12 on n2"):
        saver.save(1)
    assert small_runs.steps_saved(tmp_path) == []


def test_a_step_is_saved_once(saver, state, tmp_path):
    saver.save(1)
    state.value = 2.0
    saver.save(1)
    assert small_runs.read_all(tmp_path, 1)["w"] == 1.0


def test_the_last_five_are_kept(saver, tmp_path):
    for step in (1, 2, 9, 10, 11, 100, 101):
        saver.save(step)
    assert small_runs.steps_saved(tmp_path) == [9, 10, 11, 100, 101]
    assert (
        saver.last_saved() == f"the last good checkpoint is {tmp_path}/model.ckpt-101"
    )


def test_what_is_not_finite_is_not_saved_and_the_last_good_one_is_named(
    saver, state, tmp_path
):
    assert saver.last_saved() == "nothing was saved before it"
    saver.save(5)
    state.value = np.nan
    with pytest.raises(NotFiniteError) as raised:
        saver.save(7)
    assert str(raised.value) == (
        "w is not finite after step 7; the last good checkpoint is"
        f" {tmp_path}/model.ckpt-5"
    )
    assert small_runs.steps_saved(tmp_path) == [5]


def test_statistics_are_recomputed_unless_they_are_not_wanted(state, tmp_path, at_once):
    folder = CheckpointFolder(str(tmp_path), keep=5)
    saver = Saver(folder, state, 60, at_once, lambda: {"mean": np.ones(1)})
    saver.save(1)
    saver.save(2, recompute_statistics=False)
    assert set(small_runs.read_all(tmp_path, 1)) == {"w", "mean"}
    assert set(small_runs.read_all(tmp_path, 2)) == {"w"}
