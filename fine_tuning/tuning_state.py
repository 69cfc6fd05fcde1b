"""`fine_tune.json` in the output folder: its command, and how far it has come."""

import contextlib
import dataclasses
import json
import os
import time
from collections.abc import Iterator
from typing import Any

from common.atomic_files import atomic_write
from errors import UserError

FILE_NAME = "fine_tune.json"
_OTHERWISE = "use another --output_dir, or the command of that fine-tuning"


@dataclasses.dataclass
class TuningState:
    """What decides on the result of a fine-tuning, and the stages that are done.

    Attributes:
      data: where photos or data set are.
      recipe: name and flags of each stage; None if the probe decides.
      flags: the flags of training, that the command line gave.
      finished: folders of the stages that are finished, in order.
      used_secs: seconds used of --budget_mins, over all commands in the folder.
      begun_at: when what is running now was begun, in seconds since the epoch; None
        while nothing runs that counts towards --budget_mins.
    """

    data: str
    recipe: list[list[Any]] | None
    flags: list[str]
    finished: list[str] = dataclasses.field(default_factory=list)
    used_secs: float = 0.0
    begun_at: float | None = None

    @contextlib.contextmanager
    def on_budget(self, folder: str) -> Iterator[None]:
        """Counts what is done inside towards --budget_mins, however it ends.

        Args:
          folder: the output folder, where this is written.
        """
        started_at, self.begun_at = time.monotonic(), time.time()
        self.write(folder)
        try:
            yield
        finally:
            self.used_secs += time.monotonic() - started_at
            self.begun_at = None
            self.write(folder)

    def count_killed(self, folder: str) -> None:
        """Counts a try that was killed: from its begin to the last file it wrote."""
        if self.begun_at is not None:
            paths = (os.path.join(at, n) for at, _, ns in os.walk(folder) for n in ns)
            last = max(map(os.path.getmtime, paths), default=0.0)
            self.used_secs += max(0.0, last - self.begun_at)
            self.begun_at = None

    def write(self, folder: str) -> None:
        """Writes it into the output folder, whole or not at all."""
        with atomic_write(os.path.join(folder, FILE_NAME), "w") as file:
            json.dump(dataclasses.asdict(self), file, indent=1, ensure_ascii=False)
            file.write("\n")


def resumed(now: TuningState, folder: str) -> TuningState:
    """The state of this command with what an earlier try of it has done.

    Args:
      now: of this command, nothing finished.
      folder: the output folder, which need not exist.

    Raises:
      UserError: the folder is in use for something else.
    """
    try:
        with open(os.path.join(folder, FILE_NAME), encoding="utf-8") as file:
            earlier = TuningState(**json.load(file))
    except FileNotFoundError:
        _require_empty(folder)
        return now
    except NotADirectoryError as error:
        raise UserError(f"--output_dir={folder} is a file: name a folder") from error
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"{os.path.join(folder, FILE_NAME)} cannot be read ({error}): use another"
            " --output_dir"
        ) from error
    if earlier.data != now.data:
        difference = f"of other photos, {earlier.data}, not {now.data}"
    elif earlier.recipe != now.recipe:
        difference = f"of another recipe ({_stages(earlier)}, now {_stages(now)})"
    elif earlier.flags != now.flags:
        before, after = (" ".join(r.flags) or "none" for r in (earlier, now))
        difference = f"with other training flags ({before}; now {after})"
    else:
        earlier.count_killed(folder)
        return earlier
    if _visible(folder) == [FILE_NAME]:  # it failed before it did anything
        return now
    raise UserError(
        f"--output_dir={folder} holds a fine-tuning {difference}: {_OTHERWISE}"
    )


def _stages(state: TuningState) -> str:
    if state.recipe is None:
        return "none: the probe decides"
    text = " ".join(f"[{name}] {' '.join(flags)}" for name, flags in state.recipe)
    return text if len(text) <= 120 else f"{text[:119]}…"


def _require_empty(folder: str) -> None:
    if there := _visible(folder):
        raise UserError(
            f"--output_dir={folder} is not empty: it holds {there[0]!r}"
            f"{' and more' if len(there) > 1 else ''}, but no {FILE_NAME}; use a new"
            " folder"
        )


def _visible(folder: str) -> list[str]:
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return [name for name in names if not name.startswith(".")]
