"""Files written beside the training, one after the other."""

import collections
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

_MOST_WAITING = 2  # each holds a copy of what it will write


class BackgroundWriter:
    """Runs writes in a thread, in the order in which they were handed over.

    As a context manager it ends when all are done. The error of one is raised where the
    next is handed over, at the latest at the end; those after it are left undone.
    """

    def __init__(self) -> None:
        """Starts no thread yet."""
        self._executor = ThreadPoolExecutor(1, "writer")
        self._writes: collections.deque[Future[None]] = collections.deque()
        self._has_failed = False

    def submit(self, write: Callable[[], None]) -> None:
        """Hands a write over; waits when too many are not done.

        Args:
          write: what it writes must not change any more.

        Raises:
          UserError: an earlier write failed.
        """
        self.check()
        self._finish_all_but(_MOST_WAITING - 1)
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
        """Raises the error of an earlier write, if there was one."""
        while self._writes and self._writes[0].done():
            self._writes.popleft().result()

    def wait(self) -> None:
        """Ends when all are done, or one has failed."""
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
