"""Two processes that find each other train as two clones of one process do."""

import json
import os
import socket
import subprocess
import sys

import pytest

from tests.engine import small_runs

FLAGS = {
    "max_number_of_steps": 4,
    "batch_size": 2,
    "optimizer": "momentum",
    "moving_average_decay": 0.9,
    "gradient_accumulation_steps": 2,
    "clip_gradient_norm": 0.5,
    "eval_split_name": "validation",
    "eval_every_n_steps": 2,
    "cluster_wait_secs": 120,
}


def start(folder, images_dir, flags, environment=(), before=()):
    """Starts a run in a process of its own, by a command put before its own."""
    flags = {**FLAGS, "dataset_dir": os.fspath(images_dir), **flags}
    module = "tests.engine.cluster.runs"
    return subprocess.Popen(
        [*before, sys.executable, "-m", module, folder, json.dumps(flags)],
        env={**os.environ, **dict(environment)},
        stderr=subprocess.PIPE,
        text=True,
    )


def tasks(number):
    """The environments of so many tasks on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    common = {"WORLD_SIZE": str(number), "MASTER_ADDR": "127.0.0.1"}
    return [common | {"MASTER_PORT": port, "RANK": str(rank)} for rank in range(number)]


@pytest.fixture(scope="module")
def runs(images_dir, tmp_path_factory):
    """Folders of both runs, and what the processes logged: clones, chief, worker."""
    folder = tmp_path_factory.mktemp("runs")
    started = [
        start(folder / "clones", images_dir, {"num_clones": 2}),
        *(start(folder / "tasks", images_dir, {}, task) for task in tasks(2)),
    ]
    said = [process.communicate(timeout=280)[1] for process in started]
    assert [p.returncode for p in started] == [0, 0, 0], "\n".join(said)
    return folder, said


def test_every_tensor_has_the_same_bytes(runs):
    folder, _ = runs
    (best,) = small_runs.steps_saved(folder / "clones" / "best")
    for part, step in [*((".", step) for step in range(1, 5)), ("best", best)]:
        clones, together = (
            small_runs.read_all(folder / name / part, step)
            for name in ("clones", "tasks")
        )
        assert set(clones) == set(together)
        for name, value in clones.items():
            assert together[name].tobytes() == value.tobytes(), name


def test_the_evaluations_are_the_same(runs):
    folder, _ = runs
    histories = [
        (folder / name / "best" / "evaluations.json").read_text()
        for name in ("clones", "tasks")
    ]
    assert histories[0] == histories[1]
    assert [score["num_images"] for score in json.loads(histories[0])] == [5, 5]


def test_one_of_them_writes_and_tells(runs):
    folder, (_, chief, worker) = runs
    assert small_runs.steps_saved(folder / "tasks") == [1, 2, 3, 4]
    assert len(list((folder / "tasks").glob("events.*.v2"))) == 1
    assert "finished at step 4" in chief
    assert "finished" not in worker
