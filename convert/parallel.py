"""Work spread over processes or threads, with results in order and bounded memory."""

import collections
import concurrent.futures.process
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import resource_tracker
from typing import TypeVar

from errors import UserError

T = TypeVar("T")
R = TypeVar("R")


def num_usable_cpus() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def processes(num_workers: int) -> Iterator[concurrent.futures.Executor]:
    """A pool of fresh Python processes, which end with this one, however it ends.

    Ctrl-C, which a terminal sends to all processes, reaches this one alone: workers
    inherit its mask from the moment that starts them, and are told to stop.

    Raises:
      UserError: one of them was killed.
    """
    executor = concurrent.futures.ProcessPoolExecutor(
        num_workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
    )
    # It starts with the first worker otherwise, and then unblocks the signal.
    resource_tracker.ensure_running()
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            for _ in range(num_workers):  # a worker starts when work is handed in
                executor.submit(os.getpid)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        yield executor
    except concurrent.futures.process.BrokenProcessPool as error:
        raise UserError(
            "a worker process was killed, most likely for want of memory: try fewer"
            f" than --num_workers={num_workers}"
        ) from error
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    """Prepares a worker: silent, and gone when its parent is."""
    # libtiff writes its complaints there by itself; the reason is in rejected.csv.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def in_order(
    executor: concurrent.futures.Executor,
    function: Callable[[T], R],
    items: Iterable[T],
    window: int,
) -> Iterator[R]:
    """Like `executor.map`, with at most `window` items at work or waiting."""
    pending: collections.deque[concurrent.futures.Future[R]] = collections.deque()
    for item in items:
        pending.append(executor.submit(function, item))
        if len(pending) >= window:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
