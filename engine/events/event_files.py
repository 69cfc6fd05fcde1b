"""TensorBoard's event files, which it reads in the order of their names."""

import os
import time

from common import storage

_PREFIX = "events.out.tfevents."


def find(folder: str) -> list[str]:
    """The event files of a folder in TensorBoard's order."""
    if not storage.is_folder(folder):
        return []
    names = [n for n in storage.names_in(folder) if n.startswith(_PREFIX)]
    return [os.path.join(folder, name) for name in sorted(names)]


def keep_order(folder: str) -> None:
    """Makes existing files sort before those written from now on.

    The name of a file begins with the second in which it was created. If the clock was
    set back since, the later part of a run would be read before the earlier one, so
    files from the future are renamed to an earlier second.
    """
    limit = int(time.time())
    renamed: dict[str, str] = {}
    for path in reversed(find(folder)):
        made_at, *rest = os.path.basename(path).removeprefix(_PREFIX).split(".")
        if not made_at.isdigit() or int(made_at) < limit:
            break
        limit -= 1
        name = ".".join([f"{_PREFIX}{limit:010d}", *rest])
        renamed[path] = os.path.join(folder, name)
    for path in reversed(renamed):  # the oldest first, so that none is in the way
        storage.rename(path, renamed[path])
