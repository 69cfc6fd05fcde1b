"""Peak memory of a process and of all that it started, read from Linux's /proc.

`getrusage` does not count the workers of a fork server: the process that uses them does
not wait for it to end.
"""

import contextlib
import pathlib
import re
import subprocess
from collections.abc import Iterator

_PROC = pathlib.Path("/proc")
_POLL_SECS = 0.02


def largest_mb(process: subprocess.Popen[bytes]) -> float:
    """Waits for a process to end; returns what the largest process of its tree took.

    Args:
      process: just started.

    Returns:
      The largest peak resident size in MB, of the process or a descendant, as last
      seen at most `_POLL_SECS` before that one ended.
    """
    largest = 0
    while True:
        # One that ends while it is read is no longer there.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            largest = max(largest, *map(_peak_kb, _tree(process.pid)), 0)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_SECS)
            return largest / 1024


def _tree(pid: int) -> Iterator[int]:
    """A process and its descendants."""
    yield pid
    for children in (_PROC / str(pid) / "task").glob("*/children"):
        for child in children.read_text().split():
            yield from _tree(int(child))


def _peak_kb(pid: int) -> int:
    """Peak resident size; 0 for a process that has ended and is not yet waited for."""
    found = re.search(r"VmHWM:\s+(\d+) kB", (_PROC / str(pid) / "status").read_text())
    return int(found[1]) if found else 0
