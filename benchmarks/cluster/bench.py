"""Tasks on this machine, and what the measures of them share."""

import contextlib
import dataclasses
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks import ours
from benchmarks.measuring import Scale
from checkpoints import slim_format
from checkpoints.slim_format import Checkpoint
from config import flags
from config.options import Options, option
from engine.events import run_events

TRAIN = "train_image_classifier.py"
LOOPBACK = "127.0.0.1"
# MobilenetV1 cut off after its third batch norm, with dropout in its head.
SHORT_NET = {"final_endpoint": "Conv2d_1_pointwise", "head_hidden_units": "32"}


@dataclasses.dataclass(frozen=True)
class BenchOptions(Options):
    """Benchmark."""

    what: str = option("", "What to measure, see above; by default everything.")
    cases: str = option("", "Of `equal` these cases only, as in adam,clipping.")
    kills: int = option(20, "How often a task is killed.", minimum=1)
    heartbeat_secs: int = option(5, "--cluster_heartbeat_secs.", minimum=1)
    seed: int = option(0, "Of the moments at which tasks are killed.")


class Bench:
    """The data, the flags that all runs have, and the rows of the table."""

    def __init__(self, folder: pathlib.Path, options: BenchOptions) -> None:
        """Makes the data.

        Args:
          folder: an empty one.
          options: the benchmark's.
        """
        self.folder = folder
        self.options = options
        self.rows: list[list[str]] = []
        self.flags = {
            **self.data(num_images=160),
            "model_name": "mobilenet_v1_025",
            "train_image_size": 64,
            "batch_size": 8,
            "learning_rate": 0.01,
            "log_every_n_steps": 1,
            "save_summaries_secs": 0,
            "cluster_wait_secs": 200,
            "cluster_heartbeat_secs": options.heartbeat_secs,
        }

    def data(self, *, num_images: int) -> dict[str, Any]:
        """The flags that name a data set with so many images to train on."""
        folder = self.folder / f"{num_images}"
        scale = Scale(num_images=num_images, photo_size=(120, 90))
        found = ours.data_flags(ours.make_data(folder, scale))
        return {name: os.fspath(value) for name, value in found.items()}

    def command(self, train_dir: str, **values: Any) -> list[str]:
        """The training command of a run in a folder of the benchmark's."""
        values = {**self.flags, "train_dir": self.folder / train_dir, **values}
        return script(TRAIN, **values)

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


def script(name: str, **values: Any) -> list[str]:
    """The command of a script with flags."""
    return [sys.executable, os.fspath(ours.ROOT / name), *flags.as_arguments(values)]


def pinned(number: int) -> list[list[str]]:
    """What to put before the command of each task, for a core of its own."""
    return [["taskset", "-c", str(core)] for core in range(number)]


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
    number: int,
    command: Sequence[str],
    *,
    before: Sequence[Sequence[str]] | None = None,
    chief: str = LOOPBACK,
) -> Iterator[list[Task]]:
    """Starts a command once for each task; kills what is left in the end.

    Args:
      number: of tasks.
      command: what each runs.
      before: by task, what starts the command.
      chief: address of the first task.
    """
    with socket.create_server((LOOPBACK, 0)) as server:
        port = str(server.getsockname()[1])
    common = {"WORLD_SIZE": str(number), "MASTER_ADDR": chief, "MASTER_PORT": port}
    started = []
    logs = tempfile.TemporaryDirectory()
    for rank in range(number):
        log = pathlib.Path(logs.name) / str(rank)
        words = [*(before[rank] if before else ()), *command]
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


def finished(
    number: int,
    command: Sequence[str],
    *,
    before: Sequence[Sequence[str]] | None = None,
) -> str:
    """Runs a command in so many tasks to the end; what the chief logged."""
    with tasks(number, command, before=before) as started:
        statuses = [task.end() for task in started]
        if any(statuses):
            sys.exit("\n".join(task.said()[-2000:] for task in started))
        return started[0].said()
