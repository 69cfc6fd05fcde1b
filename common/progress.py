"""Progress for anything longer than a few seconds: a bar, or plain lines."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from absl import logging
from tqdm import tqdm

from common.untrusted_text import printable

T = TypeVar("T")
_SECS_BETWEEN_LINES = 10.0


def progress(
    iterable: Iterable[T], *, total: int | None, desc: str, unit: str
) -> Iterator[T]:
    """Yields from `iterable`, showing how far it is.

    Args:
      iterable: what to walk through.
      total: its length; None when unknown.
      desc: what is being done, as in "converting".
      unit: what is counted, as in "image".

    Yields:
      The elements of `iterable`. On a terminal a bar is drawn; elsewhere (a batch
      job's log, a pipe) a line is logged every ten seconds at most.
    """
    desc = printable(desc)
    if sys.stderr.isatty():
        yield from tqdm(iterable, total=total, desc=desc, unit=unit, leave=False)
        return
    start = last_line = time.monotonic()
    for count, element in enumerate(iterable, 1):
        yield element
        now = time.monotonic()
        if now - last_line >= _SECS_BETWEEN_LINES:
            of_total = f" of {total}" if total is not None else ""
            rate = count / (now - start)
            logging.info("%s: %d%s %ss, %.1f/s", desc, count, of_total, unit, rate)
            last_line = now
