"""Which pieces of work a task does, and its wait for those of the others."""

import itertools
import time

import pytest

from cluster.shares import Share, find_share
from errors import PeerError, UserError

SRUN = {
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_PROCID": "2",
    "SLURM_JOB_ID": "77",
    "SLURM_STEP_NODELIST": "n1",
    "SLURM_STEP_TASKS_PER_NODE": "4",
}


@pytest.mark.parametrize("num_tasks", [1, 3, 8])
def test_each_piece_is_one_tasks(num_tasks):
    of_all = [Share(task, num_tasks) for task in range(num_tasks)]
    for piece in range(20):
        assert sum(share.holds(piece) for share in of_all) == 1


def test_flags_come_before_variables():
    share = find_share(SRUN, 8, 5, 60)
    assert (share.task, share.num_tasks, share.wait_secs) == (5, 8, 60)
    share = find_share(SRUN, None, None, 60)
    assert (share.task, share.num_tasks, share.source) == (2, 4, "SLURM job 77")
    assert find_share({}, None, None, 60).is_all


def test_an_array_may_run_other_commands_and_is_not_taken_unasked():
    array = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "8"}
    assert find_share(array, None, None, 60).is_all


@pytest.mark.parametrize(("num_tasks", "task"), [(4, None), (None, 0), (4, 4)])
def test_half_a_share_is_refused(num_tasks, task):
    with pytest.raises(UserError, match="--num_tasks"):
        find_share({}, num_tasks, task, 60)


def test_a_wait_ends_with_the_last_piece_and_names_who_owes_some(monkeypatch):
    clock = itertools.count(step=1.0)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    left = [[1, 4, 5], [4, 5], [4, 5], [5], []]
    looks = iter([left[0], *left])
    Share(0, 3, wait_secs=5).wait_for(lambda: next(looks), "parts")
    with pytest.raises(PeerError, match=r"those of task 1, task 2 of 3") as raised:
        Share(0, 3, wait_secs=5).wait_for(lambda: [4, 5, 8], "parts")
    assert raised.value.exit_status == 138
