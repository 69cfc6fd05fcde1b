"""The state of TFRecord files: their SHA-256, and whether record lengths add up.

Both need all of a file to be read, so they are cached in a side file in the directory
of the data set while the file is untouched by its size, its times of modification and
of change (ctime, which users cannot set) and its inode.
"""

import dataclasses
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from common import storage
from common.atomic_files import sha256
from common.progress import progress
from datasets.records import record_frames, side_file
from datasets.records.record_frames import Frames

FILENAME = "file_states.json"
_FORMAT_VERSION = 1
# Writes within the same tick of a file system's clock leave no trace in its times: a
# file that was changed just now is read again. FAT has a resolution of 2 seconds.
_SECS_UNTIL_SURE = 3.0


@dataclasses.dataclass(frozen=True)
class FileState:
    """One file.

    Attributes:
      num_bytes: its size.
      sha256: SHA-256 of its content.
      frames: its records, as far as their lengths add up.
    """

    num_bytes: int
    sha256: str
    frames: Frames


def look_at(dataset_dir: str, filenames: Sequence[str]) -> list[FileState]:
    """Reads the files, or returns what was read before.

    Args:
      dataset_dir: the directory of the files, and of the side file if it is writable.
      filenames: TFRecord files in it.

    Returns:
      The state of each file.
    """
    memory = os.path.join(dataset_dir, FILENAME)
    remembered = side_file.read(memory, _FORMAT_VERSION)
    paths = [os.path.join(dataset_dir, name) for name in filenames]
    times = [storage.times(path) for path in paths]
    found: dict[str, FileState] = {}
    for name, of_file in zip(filenames, times, strict=True):
        if (known := _from_json(remembered.get(name), of_file)) is not None:
            found[name] = known
    new = [place for place, name in enumerate(filenames) if name not in found]
    if new:
        now = time.time()
        with ThreadPoolExecutor() as executor:
            states = progress(
                executor.map(_read, [paths[place] for place in new]),
                total=len(new),
                desc="computing SHA-256",
                unit="file",
            )
            found |= zip([filenames[place] for place in new], states, strict=True)
        entries = {
            filenames[place]: dataclasses.asdict(found[filenames[place]]) | times[place]
            for place in new
            if now - times[place]["changed_ns"] / 1e9 > _SECS_UNTIL_SURE
        }
        if entries:
            side_file.write(memory, _FORMAT_VERSION, remembered | entries)
    return [found[name] for name in filenames]


def _read(path: str) -> FileState:
    return FileState(storage.size(path), sha256(path), record_frames.walk(path))


def _from_json(entry: Any, times: dict[str, int]) -> FileState | None:
    """The state of an untouched file; None if there is none."""
    try:
        if times != {name: entry[name] for name in times}:
            return None
        frames = Frames(int(entry["frames"]["num_records"]), entry["frames"]["fault"])
        return FileState(int(entry["num_bytes"]), str(entry["sha256"]), frames)
    except (KeyError, TypeError, ValueError):
        return None
