"""Tasks that are killed, that hang, or that cannot be reached any more."""

import random
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.cluster import namespaces
from benchmarks.cluster.bench import SHORT_NET, Bench, Task, finished, tasks
from benchmarks.cluster.equality import difference

_SHARE_AT_START = 0.25  # of the kills; the others come after the first step
_SECS_AFTER_START = 0, 10
_SECS_AFTER_STEP = 0, 5
_SMALL = {
    **SHORT_NET,
    "optimizer": "momentum",
    "train_image_size": 32,
    "batch_size": 4,
    "recompute_batch_norm": "false",  # which would take longer than the steps
    "cluster_wait_secs": 20,  # for a task that was killed before they met
}
_STEP = re.compile(r"global step (\d+)")
_RANKS = "the chief", "the other"


def kills(bench: Bench) -> None:
    """A task killed at random moments, and all started again."""
    rng = random.Random(bench.options.seed)
    # Enough not to end before the last kill.
    steps = 400 * bench.options.kills
    run: dict[str, Any] = {**_SMALL, "log_every_n_steps": 50, "save_interval_secs": 1}
    run["max_number_of_steps"] = steps
    finished(2, bench.command("alone", **run))
    killed_at: list[int] = []
    while len(killed_at) < bench.options.kills:
        with tasks(2, bench.command("killed", **run)) as started:
            if rng.random() < _SHARE_AT_START:
                time.sleep(rng.uniform(*_SECS_AFTER_START))
            else:
                _await_steps(started)
                time.sleep(rng.uniform(*_SECS_AFTER_STEP))
            if started[0].process.poll() is not None:
                break  # it has reached its end
            started[rng.randrange(2)].process.kill()
            for task in started:
                task.end(60)
            killed_at.append(_last_step(started[0]))
            print("killed at step", killed_at[-1], flush=True)
    finished(2, bench.command("killed", **run))
    found = difference(bench.checkpoint("alone"), bench.checkpoint("killed"))
    in_steps = sum(step > 0 for step in killed_at)
    bench.say(
        f"{steps} steps, a task killed {len(killed_at)} times, {in_steps} of them after"
        " the first steps",
        found,
    )


def _await_steps(started: Sequence[Task]) -> None:
    while "global step" not in started[0].said():
        status = started[0].process.poll()
        if status == 0:
            return
        if status is not None:
            sys.exit(started[0].said()[-2000:])
        time.sleep(0.05)


def _last_step(task: Task) -> int:
    return max(map(int, _STEP.findall(task.said())), default=0)


def ends(bench: Bench) -> None:
    """How soon the other task ends after one is killed or stopped."""
    for number in (signal.SIGKILL, signal.SIGSTOP):
        for rank in (0, 1):

            def lose(
                started: Sequence[Task], rank: int = rank, number: int = number
            ) -> None:
                started[rank].process.send_signal(number)

            with tasks(2, bench.command("lost")) as started:
                _tell_ends(
                    bench, started, f"{number.name} to {_RANKS[rank]}", lose, [1 - rank]
                )
            shutil.rmtree(bench.folder / "lost")


def link(bench: Bench) -> None:
    """How soon both tasks end after the link between their machines goes down."""
    with namespaces.linked() as take_down:
        command = bench.command("cut off")
        chief = namespaces.ADDRESSES[0]
        with tasks(2, command, before=namespaces.INSIDE, chief=chief) as started:
            _tell_ends(bench, started, "link down", lambda _: take_down(), [0, 1])


def _tell_ends(
    bench: Bench,
    started: Sequence[Task],
    what: str,
    lose: Callable[[Sequence[Task]], None],
    left: Sequence[int],
) -> None:
    """Waits for the first steps, then for the end of the tasks that are left."""
    _await_steps(started)
    lose(started)
    lost_at = time.monotonic()
    ended: dict[int, str] = {}
    while len(ended) < len(left):
        for rank in left:
            status = started[rank].process.poll()
            if status is not None and rank not in ended:
                secs = time.monotonic() - lost_at
                error = " ".join(started[rank].said().partition("error: ")[2].split())
                ended[rank] = f"{secs:.1f} s, {status}, {error}"
        time.sleep(0.01)
    for rank, said in ended.items():
        bench.say(f"{what}: {_RANKS[rank]} ends", said)
