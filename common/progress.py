"""Progress of work that takes more than a few seconds: a live line or log lines."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from absl import logging

from common import terminal
from common.untrusted_text import printable

T = TypeVar("T")
_SECS_BETWEEN_LINES = 10.0
_BAR_COLUMNS = 12
_LEAST_SECS_OF_RATE = 1.0  # the first elements were often ready before


def progress(
    iterable: Iterable[T], *, total: int | None, desc: str, unit: str
) -> Iterator[T]:
    """Yields from `iterable`, showing how far it is.

    On a terminal it draws a live line; elsewhere (in a batch job's log, a pipe) it logs
    a line at most every ten seconds.

    Args:
      iterable: what to iterate over.
      total: its length; None if unknown.
      desc: what is being done, such as "converting".
      unit: what is counted, such as "image".

    Yields:
      The elements of `iterable`.
    """
    desc = printable(desc)
    is_live = sys.stderr.isatty()
    start = last_line = time.monotonic()
    try:
        for count, element in enumerate(iterable, 1):
            yield element
            now = time.monotonic()
            if is_live:
                terminal.show_live(_live_line(desc, count, total, unit, now - start))
            elif now - last_line >= _SECS_BETWEEN_LINES:
                of_total = f" of {total}" if total is not None else ""
                rate = count / (now - start)
                logging.info("%s: %d%s %ss, %.1f/s", desc, count, of_total, unit, rate)
                last_line = now
    finally:
        if is_live:
            terminal.erase_live()


def _live_line(desc: str, count: int, total: int | None, unit: str, secs: float) -> str:
    parts = [desc]
    if total:
        done = round(_BAR_COLUMNS * min(count / total, 1))
        bar = "━" * done + "╌" * (_BAR_COLUMNS - done)
        parts += [bar, f"{count:,} of {total:,} {unit}s"]
    else:
        parts.append(f"{count:,} {unit}s")
    if secs >= _LEAST_SECS_OF_RATE:
        rate = count / secs
        parts.append(f"{rate:,.0f}/s" if rate >= 100 else f"{rate:.1f}/s")
        if total:
            parts.append(f"{clock((total - count) / rate)} left")
    return "  ".join(parts)


def clock(secs: float) -> str:
    """A duration as H:MM:SS, or M:SS below an hour."""
    minutes, seconds = divmod(max(0, round(secs)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
