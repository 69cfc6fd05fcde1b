"""`run.json` in a run's folder: the flags and data it was last trained with.

Another command in the same folder reports what differs, or is refused.
"""

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any

from common import storage
from common.atomic_files import atomic_write
from errors import UserError

FILE_NAME = "run.json"


@dataclasses.dataclass(frozen=True)
class RunInfo:
    """What a run's result depends on, besides its net (`model_info`).

    Attributes:
      start_flags: flags that count at the start of a run only, by name.
      flags: flags that count at every step, by name.
      split_name: name of the training split.
      data_fingerprint: digest of the contents of its files, wherever they are.
      dataset_dir: where they were, absolute; None if an older release did not note
        it, like the next.
      eval_split_name: the split that it was validated on, if any.
      num_examples: number of examples that it was trained on.
      mixed_in_fingerprint: digest of the mixed-in split's contents; "" without one.
      copied_from: in a folder with a copy of a checkpoint, the folder it was copied
        from, relative to this one; the run's events are there. None in the run's own.
    """

    start_flags: Mapping[str, Any]
    flags: Mapping[str, Any]
    split_name: str
    data_fingerprint: str
    # Data may move, and be validated on another split: the run stays the same.
    dataset_dir: str | None = dataclasses.field(default=None, compare=False)
    eval_split_name: str | None = dataclasses.field(default=None, compare=False)
    num_examples: int | None = dataclasses.field(default=None, compare=False)
    mixed_in_fingerprint: str = ""
    copied_from: str | None = dataclasses.field(default=None, compare=False)

    def write(self, folder: str) -> None:
        """Writes `<folder>/run.json`, whole or not at all."""
        with atomic_write(os.path.join(folder, FILE_NAME), "w") as file:
            json.dump(dataclasses.asdict(self), file, indent=1, ensure_ascii=False)
            file.write("\n")


def read(folder: str) -> RunInfo | None:
    """Reads a folder's `run.json`; None if there is none, as with an older release.

    Raises:
      UserError: the file is damaged.
    """
    path = os.path.join(folder, FILE_NAME)
    try:
        with storage.open_text(path) as file:
            info = RunInfo(**json.load(file))
        dict(info.flags), dict(info.start_flags)
        return info
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"{path} cannot be read ({error}): repair or remove it; without it, the"
            " flags that the run was trained with are unknown"
        ) from error


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The flags that differ, such as "--learning_rate was 0.01, is now 0.1"."""
    names = [name for name in now if name in before and before[name] != now[name]]
    return [
        f"--{name} was {_value(before[name])}, is now {_value(now[name])}"
        for name in names
    ]


def _value(value: Any) -> str:
    if value is None:
        return "not given"
    return str(value).lower() if isinstance(value, bool) else str(value)
