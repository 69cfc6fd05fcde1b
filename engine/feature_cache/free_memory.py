"""How much more memory a process can use."""

import os
import pathlib
import re
from collections.abc import Iterator

# Files of a control group with its limit and its usage, and the share of cached files.
_VERSION_1 = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
_VERSION_2 = "memory.max", "memory.current", "inactive_file"
_NO_LIMIT = 1 << 60  # cgroups of version 1 say 2⁶³ less a page where there is none


def available_bytes(root: str = "/") -> int:
    """The free memory of this machine and of this process's control groups.

    The file cache is included, since the system releases it on demand.

    Args:
      root: where `proc` and `sys` are; overridden in tests.

    Returns:
      Bytes; all of the machine's memory if usage is unknown (macOS).
    """
    at = pathlib.Path(root)
    free = [max(limit - used, 0) for limit, used in _groups(at) if limit < _NO_LIMIT]
    kilobytes = _number(
        "MemAvailable: *", _read(at / "proc/meminfo").replace(" kB", "")
    )
    if kilobytes is not None:
        free.append(kilobytes * 1024)
    else:
        free.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(free)


def _groups(root: pathlib.Path) -> Iterator[tuple[int, int]]:
    """Limit and use, in bytes, of the control groups that this process is in."""
    mounted = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        # In a container the path may be the host's, and the group the mount itself.
        inner = pathlib.PurePosixPath(path.lstrip("/"))
        for part in (inner, *inner.parents):
            if not controllers:
                yield from _group(mounted / part, _VERSION_2)
            elif "memory" in controllers.split(","):
                yield from _group(mounted / "memory" / part, _VERSION_1)


def _group(
    folder: pathlib.Path, names: tuple[str, str, str]
) -> Iterator[tuple[int, int]]:
    limit, used, kept = names
    limits = _number("", _read(folder / limit)), _number("", _read(folder / used))
    if limits[0] is not None and limits[1] is not None:
        files = _number(f"{kept} ", _read(folder / "memory.stat")) or 0
        yield limits[0], limits[1] - files


def _number(before: str, text: str) -> int | None:
    """The number that follows the given start of a line."""
    match = re.search(rf"^{before}(\d+)$", text, re.MULTILINE)
    return int(match[1]) if match else None


def _read(path: pathlib.Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
