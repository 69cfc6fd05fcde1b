"""Worker processes."""

import concurrent.futures.process
import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from multiprocessing import forkserver, resource_tracker
from typing import Any, TypeVar

from common import native_log
from errors import UserError

T = TypeVar("T")
_START_METHOD = "forkserver" if sys.platform == "linux" else "spawn"
# A name of its own: a module of this name in the user's folder would be taken instead.
_PRELOADED = "tensorflow_for_workers"
_ITS_FOLDER = os.path.dirname(os.path.abspath(__file__))
# What TensorFlow reads when it first computes: each worker is one thread's work, and
# the first to see a GPU would take all its memory.
_WORKER_ENVIRONMENT = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "-1",
}


def num_usable_cpus() -> int:
    """The number of CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Defers Ctrl-C and SIGTERM until the block ends; for the main thread.

    For what a sudden exception would break: a partly started worker prints a
    traceback, and a partly imported TensorFlow raises another exception instead.
    Processes started inside never see Ctrl-C.
    """
    came: list[int] = []
    # A mask alone is not enough: other threads, such as a progress bar's, get signals.
    handlers = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


class Workers(concurrent.futures.ProcessPoolExecutor):
    """Processes for one thread's work each."""

    def __init__(self, num_workers: int) -> None:
        """Starts none yet; they start when work is submitted."""
        context = multiprocessing.get_context(_START_METHOD)
        self._counter = context.Value("Q")
        self._is_stopped = context.Value("b", lock=False)
        super().__init__(
            num_workers,
            mp_context=context,
            initializer=_start_worker,
            initargs=(self._counter, self._is_stopped),
        )

    @property
    def counted(self) -> int:
        """How often the workers have called `count`."""
        # A worker that is killed may hold the lock for good.
        return self._counter.get_obj().value

    def stop(self) -> None:
        """Ends what the workers do at their next call of `count`.

        They are not killed: the queues to and from them would not bear that.
        """
        self._is_stopped.value = True

    def submit(self, *work: Any, **named: Any) -> concurrent.futures.Future[Any]:
        """See `concurrent.futures.Executor`; workers start undisturbed by signals."""
        with signals_held():
            return super().submit(*work, **named)


@contextlib.contextmanager
def _stdout_kept() -> Iterator[None]:
    """Keeps stdout from processes that start inside and end a little after this one.

    Whoever reads it through a pipe would wait for them.
    """
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)


@contextlib.contextmanager
def _importable() -> Iterator[None]:
    """Lets processes that start inside find `_PRELOADED`."""
    before = os.environ.get("PYTHONPATH")
    folders = [_ITS_FOLDER, before] if before else [_ITS_FOLDER]
    os.environ["PYTHONPATH"] = os.pathsep.join(folders)
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def prepare() -> None:
    """Starts what `processes` needs, which loads TensorFlow while the caller continues.

    On Linux that is a process of which workers are copies, so that it is loaded once;
    elsewhere libraries do not bear to be copied, and each worker loads it.
    """
    # It starts with the first worker otherwise, and then unblocks the signals.
    resource_tracker.ensure_running()
    if _START_METHOD == "forkserver":
        multiprocessing.set_forkserver_preload([_PRELOADED])
        # TensorFlow says things that read like errors while it loads.
        with signals_held(), native_log.held_back(), _stdout_kept(), _importable():
            forkserver.ensure_running()


def load_tensorflow() -> None:
    """Imports TensorFlow for work in this process, which takes seconds."""
    with signals_held():
        importlib.import_module("common.quiet_tensorflow")


@contextlib.contextmanager
def processes(num_workers: int) -> Iterator[Workers]:
    """A pool of other processes, which end with this one, however it ends.

    If the block raises, as by Ctrl-C, which a terminal sends to all processes and
    reaches only this one, they end at their next call of `count`.

    Raises:
      UserError: one of them was killed.
    """
    prepare()
    workers = Workers(num_workers)
    try:
        yield workers
    except concurrent.futures.process.BrokenProcessPool as error:
        raise UserError(
            "a worker process was killed, most likely for lack of memory: try fewer"
            f" than --num_workers={num_workers}"
        ) from error
    except BaseException:
        workers.stop()
        raise
    finally:
        workers.shutdown(wait=True, cancel_futures=True)


_of_its_pool: list[tuple[Any, Any]] = []  # counter and stop sign, in a worker


def count(work: T) -> T:
    """Returns `work`, and counts it for `Workers.counted`.

    Raises:
      concurrent.futures.CancelledError: the workers are to stop.
    """
    for counter, is_stopped in _of_its_pool:
        if is_stopped.value:
            raise concurrent.futures.CancelledError
        with counter:
            counter.value += 1
    return work


def _start_worker(counter: Any, is_stopped: Any) -> None:
    """Prepares a worker: silent, small, and gone when its parent is."""
    _of_its_pool.append((counter, is_stopped))
    os.environ.update(_WORKER_ENVIRONMENT)
    # libtiff writes its complaints there; the reason is in rejected.csv.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
