"""Runs on several machines, played by processes of this one: equal, and how fast.

python -m benchmarks.cluster --what=equal,elastic,kills,ends,speed

equal: each optimizer and more, two tasks against two clones, byte by byte. elastic: one
run on 2, 1 and 4 tasks against one on 2. kills: a task killed at random moments, all
started again, against a run left alone. ends: how soon the other task ends, and names
the one that is gone. speed: one task and two, each pinned to a core of its own.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks import ours
from benchmarks.measuring import Scale
from checkpoints import slim_format
from checkpoints.slim_format import Checkpoint
from common.tables import text_table
from config import app, flags
from config.options import Options, option, split_list
from engine.events import run_events

_OPTIMIZERS = ("adadelta", "adagrad", "adam", "ftrl", "momentum", "sgd", "rmsprop")
_CASES: dict[str, dict[str, Any]] = {
    **{name: {"optimizer": name, "opt_epsilon": 0.1} for name in _OPTIMIZERS},
    "moving averages": {"moving_average_decay": 0.9},
    "accumulation": {"gradient_accumulation_steps": 2},
    "clipping": {"clip_gradient_norm": 0.5},
    "bfloat16": {"precision": "mixed_bfloat16"},
}
_SECS_TO_KILL = 5, 40  # from the start of the tasks
_SPEED = re.compile(r"global step (\d+):.* ([\d.]+) images/s")


@dataclasses.dataclass(frozen=True)
class BenchmarkOptions(Options):
    """Benchmark."""

    what: str = option("equal,elastic,kills,ends,speed", "What to measure, see above.")
    model_name: str = option("mobilenet_v1_025", "Network.")
    image_size: int = option(64, "Side of its images in pixels.", minimum=32)
    kills: int = option(20, "How often a task is killed.", minimum=1)
    heartbeat_secs: int = option(5, "--cluster_heartbeat_secs.", minimum=1)
    seed: int = option(0, "Of the moments at which tasks are killed.")


class Bench:
    """The data, the flags that all runs have, and the rows of the table."""

    def __init__(self, folder: pathlib.Path, options: BenchmarkOptions) -> None:
        """Makes the data."""
        self.folder = folder
        self.options = options
        self.rows: list[list[str]] = []
        scale = Scale(num_images=160, photo_size=(120, 90))
        data = ours.make_data(folder, scale)
        self.flags = {
            **{name: os.fspath(v) for name, v in ours.data_flags(data).items()},
            "model_name": options.model_name,
            "train_image_size": options.image_size,
            "batch_size": 8,
            "learning_rate": 0.01,
            "log_every_n_steps": 1,
            "save_summaries_secs": 0,
            "cluster_wait_secs": 200,
            "cluster_heartbeat_secs": options.heartbeat_secs,
        }

    def command(self, train_dir: str, **values: Any) -> list[str]:
        """The training command of a run in a folder of the benchmark's."""
        values = {**self.flags, "train_dir": self.folder / train_dir, **values}
        script = os.fspath(ours.ROOT / "train_image_classifier.py")
        return [sys.executable, script, *flags.as_arguments(values)]

    def checkpoint(self, train_dir: str) -> dict[str, np.ndarray]:
        """All values of a run's last checkpoint."""
        path = slim_format.find_checkpoint(os.fspath(self.folder / train_dir))
        found = Checkpoint(path)
        return {name: found.read(name) for name in found.shapes}

    def losses(self, train_dir: str) -> np.ndarray:
        """The total loss of every step of a run, `[steps]`."""
        events = run_events.read(os.fspath(self.folder / train_dir / "model.ckpt"))
        return np.array(events.charts["loss"][0].values)

    def say(self, *row: str) -> None:
        """Adds a row to the table, and prints it."""
        self.rows.append(list(row))
        print(*row, sep="  ", flush=True)


@dataclasses.dataclass(frozen=True)
class Task:
    """A process, and the file of what it logs."""

    process: subprocess.Popen[bytes]
    log: pathlib.Path

    def said(self) -> str:
        """What it has logged so far."""
        return self.log.read_text(encoding="utf-8")

    def end(self, secs: float | None = None) -> int:
        """Waits for its end; the exit status."""
        return self.process.wait(secs)


@contextlib.contextmanager
def tasks(
    number: int, command: Sequence[str], *, pinned: bool = False
) -> Iterator[list[Task]]:
    """Starts a command once for each task; kills what is left in the end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    common = {"WORLD_SIZE": str(number), "MASTER_ADDR": "127.0.0.1"}
    common["MASTER_PORT"] = port
    started = []
    logs = tempfile.TemporaryDirectory()
    for rank in range(number):
        log = pathlib.Path(logs.name) / str(rank)
        words = [*(("taskset", "-c", str(rank)) if pinned else ()), *command]
        environment = {**os.environ, **common, "RANK": str(rank)}
        with log.open("wb") as file:
            process = subprocess.Popen(
                words, env=environment, stdout=subprocess.DEVNULL, stderr=file
            )
        started.append(Task(process, log))
    try:
        yield started
    finally:
        for task in started:
            task.process.kill()
            task.process.wait()
        logs.cleanup()


def finished(number: int, command: Sequence[str], *, pinned: bool = False) -> str:
    """Runs a command in so many tasks to the end; what the chief logged."""
    with tasks(number, command, pinned=pinned) as started:
        statuses = [task.end() for task in started]
        if any(statuses):
            sys.exit("\n".join(task.said()[-2000:] for task in started))
        return started[0].said()


def difference(values: Mapping[str, np.ndarray], others: Mapping[str, Any]) -> str:
    """How many tensors differ, in words."""
    assert set(values) == set(others)
    unequal = [n for n, v in values.items() if v.tobytes() != others[n].tobytes()]
    return f"{len(unequal)} of {len(values)} tensors differ"


def equal(bench: Bench) -> None:
    """Each case on two tasks and on two clones."""
    for kind, values in (("clones", {"num_clones": 2}), ("tasks", {})):
        runs = {
            os.fspath(bench.folder / f"{kind} {case}"): {
                **bench.flags,
                "optimizer": "momentum",
                "max_number_of_steps": 20,
                **case_flags,
                **values,
            }
            for case, case_flags in _CASES.items()
        }
        path = bench.folder / f"{kind}.json"
        path.write_text(json.dumps(runs), encoding="utf-8")
        command = [sys.executable, "-m", "benchmarks.cluster_task", os.fspath(path)]
        finished(1 if kind == "clones" else 2, command)
    for case in _CASES:
        found = [bench.checkpoint(f"{kind} {case}") for kind in ("clones", "tasks")]
        bench.say(f"2 tasks, 2 clones: {case}", difference(*found))


def elastic(bench: Bench) -> None:
    """One run whose number of tasks changes, at one global batch."""
    flags_of_run = {"global_batch_size": 32, "optimizer": "momentum"}
    for train_dir, stages in (("two", {20: 2}), ("changing", {10: 2, 14: 1, 20: 4})):
        for last_step, number in stages.items():
            last = {"max_number_of_steps": last_step}
            finished(number, bench.command(train_dir, **flags_of_run, **last))
    steady, changing = (bench.losses(name) for name in ("two", "changing"))
    largest = np.max(np.abs(changing / steady - 1))
    bench.say("2 → 1 → 4 tasks: losses differ by at most", f"{largest:.1e}")


def kills(bench: Bench) -> None:
    """A task killed at random moments, and all started again."""
    rng = random.Random(bench.options.seed)
    run = {"optimizer": "momentum", "save_interval_secs": 1, "max_number_of_steps": 600}
    finished(2, bench.command("alone", **run))
    num_kills = 0
    while num_kills < bench.options.kills:
        with tasks(2, bench.command("killed", **run)) as started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                started[0].end(rng.uniform(*_SECS_TO_KILL))
                break  # it has reached its end
            started[rng.randrange(2)].process.kill()
            num_kills += 1
            for task in started:
                task.end(60)
    finished(2, bench.command("killed", **run))
    found = difference(bench.checkpoint("alone"), bench.checkpoint("killed"))
    bench.say(f"a task killed {num_kills} times", found)


def ends(bench: Bench) -> None:
    """How soon the other task ends after one is killed or stopped."""
    for number in (signal.SIGKILL, signal.SIGSTOP):
        for rank in (0, 1):
            name = f"{number.name} to {('the chief', 'the other')[rank]}"
            shutil.rmtree(bench.folder / "lost", ignore_errors=True)
            with tasks(2, bench.command("lost")) as started:
                while "global step" not in started[0].said():
                    time.sleep(0.1)
                started[rank].process.send_signal(number)
                sent_at = time.monotonic()
                status = started[1 - rank].end(120)
                secs = time.monotonic() - sent_at
                error = started[1 - rank].said().partition("error: ")[2]
            found = f"{secs:.1f} s, {status}, {' '.join(error.split())}"
            bench.say(f"{name}: the rest ends", found)


def speed(bench: Bench) -> None:
    """Images a second of one task and of two, each with a core of its own."""
    for name, values in (
        ("step", {}),
        ("step with moving averages", {"moving_average_decay": 0.9}),
    ):
        rates = []
        for number in (1, 2):
            train_dir = f"{name} {number}"
            run = bench.command(train_dir, max_number_of_steps=200, **values)
            said = finished(number, run, pinned=True)
            found = [float(rate) for _, rate in _SPEED.findall(said)]
            rates.append(float(np.median(found)))
        bench.say(
            f"{name}, 1 and 2 tasks", f"{rates[0]:.0f} and {rates[1]:.0f} images/s"
        )
        bench.say("of twice one task", f"{rates[1] / rates[0] / 2:.2f}")


_MEASURES = {f.__name__: f for f in (equal, elastic, kills, ends, speed)}


def main() -> None:
    """Measures what is asked for."""
    options = flags.read(BenchmarkOptions)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(pathlib.Path(folder), options)
        for name in split_list(options.what):
            _MEASURES[name](bench)
        print(text_table(["what", "figure"], bench.rows))


if __name__ == "__main__":
    flags.define(BenchmarkOptions)
    app.run(main)
