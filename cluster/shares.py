"""Work that can be cut in pieces, shared out among the tasks of a job.

The tasks need not meet nor run at the same time: each does the pieces of its number,
and the folder that they share shows which are done. So a task that ends early, or is
started again, costs no more than the piece that it was at.
"""

import dataclasses
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence

from absl import logging

from cluster.cluster import ONE_MACHINE
from cluster.launchers import find_cluster, lone_task_warning
from common import storage
from common.untrusted_text import first_few
from errors import PeerError, UserError

_SECS_BETWEEN_LOOKS = 2.0


@dataclasses.dataclass(frozen=True)
class Share:
    """Which part of the work is this task's.

    Attributes:
      task: number of this task, from 0; task 0 puts the pieces together.
      num_tasks: how many there are.
      wait_secs: how long to wait for the pieces of others while none comes.
      source: what said so.
    """

    task: int = 0
    num_tasks: int = 1
    wait_secs: int = 600
    source: str = ONE_MACHINE

    @property
    def is_all(self) -> bool:
        """Whether there is no other task."""
        return self.num_tasks == 1

    @property
    def is_first(self) -> bool:
        """Whether this task puts the pieces together."""
        return self.task == 0

    def holds(self, piece: int) -> bool:
        """Whether a piece, by its number from 0, is this task's."""
        return piece % self.num_tasks == self.task

    def wait_for(self, missing: Callable[[], Collection[int]], what: str) -> None:
        """Waits until nothing is missing.

        Args:
          missing: gives the numbers of the pieces that are not there yet.
          what: the pieces, for messages, as in "predictions".

        Raises:
          PeerError: no piece came for `wait_secs`; the tasks that owe some are named.
        """
        left, since = len(missing()), time.monotonic()
        while lacking := missing():
            if left == len(lacking):
                waited = time.monotonic() - since
            else:
                left, since, waited = len(lacking), time.monotonic(), 0.0
            owing = sorted({piece % self.num_tasks for piece in lacking})
            tasks = first_few([f"task {task}" for task in owing])
            if waited >= self.wait_secs:
                raise PeerError(
                    f"{len(lacking)} parts of the {what} are missing, those of {tasks}"
                    f" of {self.num_tasks}, and none came for {self.wait_secs} s:"
                    " start those tasks again, then this one; what is done is kept"
                )
            logging.log_every_n_seconds(
                logging.INFO, "waiting for the %s of %s", 30, what, tasks
            )
            time.sleep(_SECS_BETWEEN_LOOKS)

    def __str__(self) -> str:
        return f"task {self.task} of 0–{self.num_tasks - 1} ({self.source})"


def missing_of(paths: Sequence[str]) -> list[int]:
    """The numbers of the pieces whose files, in one folder, are not there yet."""
    there = set(storage.names_in(os.path.dirname(paths[0]))) if paths else set()
    return [n for n, path in enumerate(paths) if os.path.basename(path) not in there]


def find_share(
    environment: Mapping[str, str],
    num_tasks: int | None,
    task: int | None,
    wait_secs: int,
) -> Share:
    """The share that the flags state, or else the launcher's variables.

    An array job's variables are not taken unasked, as an array may as well run
    different commands: there, `--num_tasks` and `--task` say so.

    Args:
      environment: as `os.environ`; see `find_cluster`.
      num_tasks: `--num_tasks`; None where it is not given.
      task: `--task`, likewise.
      wait_secs: see `Share`.

    Raises:
      UserError: only one of the two is given, or there is no such task.
    """
    if num_tasks is None and task is None:
        if warning := lone_task_warning(environment):
            logging.warning("%s", warning)
        found = find_cluster(
            environment, remedy="say with --num_tasks and --task which share is this"
        )
        return Share(found.rank, found.size, wait_secs, found.source)
    if num_tasks is None or task is None:
        lacking = "num_tasks" if num_tasks is None else "task"
        raise UserError(
            f"--{lacking} is missing: --num_tasks=N and --task=0 to N-1 go together"
        )
    if task >= num_tasks:
        raise UserError(
            f"--task={task}: of --num_tasks={num_tasks} the last is task"
            f" {num_tasks - 1}"
        )
    return Share(task, num_tasks, wait_secs, "--num_tasks")
