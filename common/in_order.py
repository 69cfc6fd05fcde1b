"""Work spread over threads or processes, with results in order and bounded memory."""

import collections
import concurrent.futures
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(
    executor: concurrent.futures.Executor,
    function: Callable[[T], R],
    items: Iterable[T],
    window: int,
) -> Iterator[R]:
    """Like `executor.map`, with at most `window` items in progress or waiting."""
    pending: collections.deque[concurrent.futures.Future[R]] = collections.deque()
    for item in items:
        pending.append(executor.submit(function, item))
        if len(pending) >= window:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
