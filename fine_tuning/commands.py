"""A command of this project, as text to print and as options to run it with."""

import dataclasses
import shlex
from collections.abc import Sequence
from typing import Any, TypeVar

from config import flags

Config = TypeVar("Config")
_LENGTHS = {"max_number_of_steps", "max_number_of_epochs"}  # of a run, in two units


@dataclasses.dataclass(frozen=True)
class Command:
    """A command as a user would type it.

    Attributes:
      script: the script's path in the project, as in "train_image_classifier.py".
      arguments: as in `--batch_size=8`.
    """

    script: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        """The command for a shell, one flag per line."""
        words = (f"python {self.script}", *map(shlex.quote, self.arguments))
        return "\n$ " + " \\\n    ".join(words)

    def parse(self, config: type[Config]) -> tuple[Config, frozenset[str]]:
        """The options that the command stands for, and the names of those given."""
        return flags.parse(config, self.arguments)


def merged(config: type, *parts: Sequence[str]) -> tuple[str, ...]:
    """Merges arguments, keeping the last value of each flag.

    A length in steps replaces an earlier one in epochs, and vice versa.

    Raises:
      UserError: a flag is unknown, or its value is of another kind.
    """
    values: dict[str, Any] = {}
    for part in parts:
        said = flags.values_of(config, part)
        if not _LENGTHS.isdisjoint(said):
            values = {n: v for n, v in values.items() if n not in _LENGTHS}
        values |= said
    return tuple(flags.as_arguments(values))
