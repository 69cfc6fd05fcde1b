"""Tasks that are killed, that hang, or that cannot be reached any more."""

import contextlib
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.cluster.bench import Bench, Task, finished, tasks
from benchmarks.cluster.equality import difference

_SECS_TO_KILL = 2, 25  # from the start of the tasks
_SMALL = {"optimizer": "momentum", "train_image_size": 32, "batch_size": 4}
_NAMESPACES = "slim-bench-0", "slim-bench-1"
_ADDRESSES = "10.77.0.1", "10.77.0.2"
_RANKS = "the chief", "the other"


def kills(bench: Bench) -> None:
    """A task killed at random moments, and all started again."""
    rng = random.Random(bench.options.seed)
    # Long enough not to end before the last kill.
    steps = 300 * bench.options.kills
    run: dict[str, Any] = {**_SMALL, "log_every_n_steps": 50, "save_interval_secs": 1}
    run["max_number_of_steps"] = steps
    finished(2, bench.command("alone", **run))
    killed_at: list[str] = []
    while len(killed_at) < bench.options.kills:
        with tasks(2, bench.command("killed", **run)) as started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                started[0].end(rng.uniform(*_SECS_TO_KILL))
                break  # it has reached its end
            started[rng.randrange(2)].process.kill()
            for task in started:
                task.end(60)
            killed_at.append(_last_step(started[0]))
            print("killed at step", killed_at[-1], flush=True)
    finished(2, bench.command("killed", **run))
    found = difference(bench.checkpoint("alone"), bench.checkpoint("killed"))
    in_steps = sum(step != "0" for step in killed_at)
    bench.say(
        f"{steps} steps, a task killed {len(killed_at)} times, {in_steps} of them after"
        " the first steps",
        found,
    )


def _last_step(task: Task) -> str:
    _, _, rest = task.said().rpartition("global step ")
    return rest.split(":")[0] or "0"


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
    with _namespaces() as take_down:
        before = [["ip", "netns", "exec", name] for name in _NAMESPACES]
        with tasks(
            2, bench.command("cut off"), before=before, chief=_ADDRESSES[0]
        ) as started:
            _tell_ends(bench, started, "link down", lambda _: take_down(), [0, 1])


def _tell_ends(
    bench: Bench,
    started: Sequence[Task],
    what: str,
    lose: Callable[[Sequence[Task]], None],
    left: Sequence[int],
) -> None:
    """Waits for the first steps, then for the end of the tasks that are left."""
    while "global step" not in started[0].said():
        time.sleep(0.1)
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


@contextlib.contextmanager
def _namespaces() -> Iterator[Callable[[], None]]:
    """Two network namespaces, joined by a link; gives what takes it down."""

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True)

    with contextlib.ExitStack() as stack:
        for name in _NAMESPACES:
            ip("netns", "add", name)
            stack.callback(ip, "netns", "del", name)
        ends_of_link = "slim-b0", "slim-b1"
        ip(
            "link",
            "add",
            ends_of_link[0],
            "type",
            "veth",
            "peer",
            "name",
            ends_of_link[1],
        )
        for name, end, address in zip(
            _NAMESPACES, ends_of_link, _ADDRESSES, strict=True
        ):
            ip("link", "set", end, "netns", name)
            ip("-n", name, "addr", "add", f"{address}/24", "dev", end)
            ip("-n", name, "link", "set", end, "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield lambda: ip("-n", _NAMESPACES[1], "link", "set", ends_of_link[1], "down")
