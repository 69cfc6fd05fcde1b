"""Files written in the background during training, one after the other."""

import collections
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

_MAX_PENDING = 2  # each holds a copy of what it will write


class BackgroundWriter:
    """Runs writes in a thread, in the order in which they are submitted.

    As a context manager it exits when all are done. The error of a write is raised when
    the next one is submitted, at the latest on exit; the writes after it are not run.
    """

    def __init__(self) -> None:
        """Starts without a thread; the first write creates it."""
        self._executor = ThreadPoolExecutor(1, "writer")
        self._writes: collections.deque[Future[None]] = collections.deque()
        self._has_failed = False

    def submit(self, write: Callable[[], None]) -> None:
        """Queues a write; waits while too many are pending.

        Args:
          write: writes the file; its data must not change any more.

        Raises:
          UserError: an earlier write failed.
        """
        self.check()
        self._finish_all_but(_MAX_PENDING - 1)
        self._writes.append(self._executor.submit(self._run, write))

    def _run(self, write: Callable[[], None]) -> None:
        if self._has_failed:
            return
        try:
            write()
        except BaseException:
            self._has_failed = True
            raise

    def check(self) -> None:
        """Raises the error of an earlier write, if one failed."""
        while self._writes and self._writes[0].done():
            self._writes.popleft().result()

    def wait(self) -> None:
        """Returns when all writes are done; raises the error of one that failed."""
        self._finish_all_but(0)

    def _finish_all_but(self, number: int) -> None:
        while len(self._writes) > number:
            self._writes.popleft().result()

    def __enter__(self) -> "BackgroundWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._executor.shutdown()
        if error is None:
            self.wait()
