"""The link between two machines goes down: each ends, and names the other."""

import os
import shutil
import time

import pytest

from benchmarks.cluster import namespaces
from tests.engine.cluster.two_machines_test import start, tasks

HEARTBEAT_SECS = 3
SECS_TO_END = HEARTBEAT_SECS + 2


@pytest.mark.slow
@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("ip"), reason="needs root and iproute2"
)
def test_both_end_and_name_each_other(images_dir, tmp_path):
    flags = {
        "max_number_of_steps": 1_000_000,
        "eval_split_name": None,
        "eval_every_n_steps": None,
        "cluster_heartbeat_secs": HEARTBEAT_SECS,
    }
    with namespaces.linked() as take_down:
        started = [
            start(
                tmp_path / "run",
                images_dir,
                flags,
                task | {"MASTER_ADDR": namespaces.ADDRESSES[0]},
                before=before,
            )
            for task, before in zip(tasks(2), namespaces.INSIDE, strict=True)
        ]
        try:
            while "global step" not in started[0].stderr.readline():
                assert started[0].poll() is None
            take_down()
            taken_down_at = time.monotonic()
            said = [process.communicate(timeout=60)[1] for process in started]
        finally:
            for process in started:
                process.kill()
    assert time.monotonic() - taken_down_at < SECS_TO_END
    assert [process.returncode for process in started] == [138, 138]
    for rank, text in enumerate(said):
        assert f"error: machine {1 - rank} " in text
