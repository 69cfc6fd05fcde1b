"""A stage, and the heading of a recipe that names it.

`[head]`, `[all from weights]`, `[soup from a, b with average_checkpoints]`.
"""

import contextlib
import dataclasses
import re
from collections.abc import Iterator, Sequence

from errors import UserError, nearest
from fine_tuning.stage_commands import COMMANDS, NOTHING, TRAIN, WEIGHTS

_NAME = r"[A-Za-z0-9][\w-]*"
_HEADING = re.compile(
    rf"\[(?P<name>{_NAME})(?: +from +(?P<starts>{_NAME}(?: *, *{_NAME})*))?"
    rf"(?: +with +(?P<command>{_NAME}))?\]$"
)


@dataclasses.dataclass(frozen=True)
class Stage:
    """One of several training runs, or another command between them.

    Attributes:
      name: the name of the stage.
      arguments: its flags, as in `--batch_size=8`.
      starts: the earlier stages that it starts from, WEIGHTS or NOTHING; empty for the
        stage before.
      command: one of `stage_commands.COMMANDS`.
    """

    name: str
    arguments: tuple[str, ...]
    starts: tuple[str, ...] = ()
    command: str = TRAIN

    @property
    def trains(self) -> bool:
        """Whether it is a training run."""
        return self.command == TRAIN

    @property
    def gives_checkpoint(self) -> bool:
        """Whether another stage may start from it."""
        return COMMANDS[self.command].gives_checkpoint

    @property
    def heading(self) -> str:
        """The heading as in the file, without the brackets."""
        starts = f" from {', '.join(self.starts)}" if self.starts else ""
        return f"{self.name}{starts}{'' if self.trains else f' with {self.command}'}"


def parse(line: str, earlier: Sequence[Stage], where: str) -> Stage:
    """The stage that a heading names, without arguments.

    Args:
      line: a line of a recipe.
      earlier: the stages above it.
      where: the line's place, for messages.

    Raises:
      UserError: it is not a heading, or its name, command or start does not fit.
    """
    match = _HEADING.match(line.partition("#")[0].strip())
    if match is None:
        raise UserError(
            f"{where}: {line!r} is not a heading: a stage's name in brackets, of"
            " letters, digits, '_' and '-', as in [head], [top from head] or"
            " [soup from a, b with average_checkpoints]"
        )
    name, command = match["name"], match["command"] or TRAIN
    if name in [stage.name for stage in earlier]:
        raise UserError(f"{where}: there is a stage [{name}] already: rename one")
    if name in (WEIGHTS, NOTHING):
        raise UserError(
            f"{where}: [{name}] is also a name for what a stage can start from: rename"
            " the stage"
        )
    if command not in COMMANDS:
        raise UserError(
            f"{where}: [{name}] cannot be a stage with {command!r}"
            f"{nearest(command, COMMANDS)}: it takes one of {', '.join(COMMANDS)}"
        )
    starts = re.findall(_NAME, match["starts"] or "")
    stage = Stage(name, (), tuple(starts), command)
    _require_starts(stage, earlier, where)
    return stage


def _require_starts(stage: Stage, earlier: Sequence[Stage], where: str) -> None:
    """Refuses starts that are not checkpoints, or too few or too many of them."""
    command = COMMANDS[stage.command]
    known = [other.name for other in earlier if other.gives_checkpoint]
    known += command.other_starts
    for start in stage.starts:
        if start not in known:
            raise UserError(
                f"{where}: [{stage.name}] cannot start from {start!r}"
                f"{nearest(start, known)}: it takes"
                f" {', '.join(known) or 'an earlier stage, and there is none'}"
            )
    least, most = command.num_starts
    count = len(set(stage.starts)) or min(1, len(known))  # one is found without a name
    if not least <= count <= most or count < len(stage.starts):
        wanted = f"{least}" if least == most else f"{least} or more, each once"
        raise UserError(
            f"{where}: [{stage.heading}] names {len(stage.starts)} checkpoints, but"
            f" {stage.command} takes {wanted}: name them after 'from'"
        )


@contextlib.contextmanager
def explained(stage: Stage, recipe: str | None) -> Iterator[None]:
    """Errors in the block name the stage and the recipe, if there is one."""
    try:
        yield
    except UserError as error:
        if recipe is None:
            raise
        raise UserError(f"{recipe}: stage [{stage.name}]: {error}") from error
