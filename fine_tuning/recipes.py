"""Recipes: files of training flags, with a section for each stage."""

import dataclasses
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from checkpoints import rate_factors, scopes
from config import flags
from config.shared_options import parse_hidden_units
from config.train_config import TrainConfig
from errors import UserError
from fine_tuning import headings, stage_commands
from fine_tuning.headings import Stage
from fine_tuning.stage_commands import COMMANDS, NOTHING, TRAIN, WEIGHTS
from nets.network import Network
from nets.new_head import NewHead

# At the start of a word: names of files may hold a #. Quotes mean nothing in it.
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*")
_ANY_NUMBER = 2  # of classes: the names of a net's variables are the same with any


def read(path: str) -> list[Stage]:
    """The stages of a recipe, in order.

    In the file `#` starts a comment, flags above the first heading hold for all
    stages, and a stage's own flags override them. A stage starts from the one before;
    `[top from head]`, `[all from weights]` and `[all from nothing]` say otherwise. It
    is a training run, unless its heading names another command, as
    `[soup from a, b with average_checkpoints]` does.

    Args:
      path: the path of a text file.

    Raises:
      UserError: the file cannot be read, a line is neither heading nor flags, no stage
        trains, or one trains nothing, would never end or starts from what is no stage.
    """
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise UserError(f"--recipe={path} cannot be read: {reason}") from error
    common: list[str] = []
    stages: list[Stage] = []
    sections: list[list[str]] = []
    for number, line in enumerate(map(str.strip, lines), 1):
        where = f"{path}, line {number}"
        if line.startswith("["):
            stages.append(headings.parse(line, stages, where))
            sections.append([])
        elif stages:
            sections[-1] += _flags(line, where, stages[-1].command)
        else:
            common += _flags(line, where, None)
    if not any(stage.trains for stage in stages):
        raise UserError(
            f"{path} has no [stage] heading of a training run: put one, as in [head],"
            " above the flags of each stage"
        )
    return [
        _whole(stage, common, own, path)
        for stage, own in zip(stages, sections, strict=True)
    ]


def _whole(stage: Stage, common: Sequence[str], own: Sequence[str], path: str) -> Stage:
    """A stage with its own flags and those above the headings."""
    if stage.trains:
        stage = dataclasses.replace(stage, arguments=(*common, *own))
        _require_training(stage, has_own=bool(own), path=path)
        return stage
    values = flags.values_of(TrainConfig, common)
    shared = flags.as_arguments(stage_commands.shared(values, stage.command))
    return dataclasses.replace(stage, arguments=(*shared, *own))


def _flags(line: str, where: str, command: str | None) -> list[str]:
    """The flags of a line, of a section's command or above the first heading."""
    try:
        words = shlex.split(_COMMENT.sub("", line))
    except ValueError as error:
        raise UserError(f"{where}: {error}, in {line!r}") from error
    known = COMMANDS[command or TRAIN]
    try:
        given = flags.values_of(known.config, words)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    for name in sorted(given.keys() & {*known.decided, *known.refused}):
        raise UserError(
            f"{where}: --{name} is set by fine_tune.py, not by recipes: remove it"
        )
    if "checkpoint_path" in given and command:
        raise UserError(
            f"{where}: a stage starts from the one before, or from what its heading"
            f" says, as in [all from {WEIGHTS}] or [all from {NOTHING}];"
            " --checkpoint_path belongs above the first heading, or on the command line"
        )
    return words


def _require_training(stage: Stage, *, has_own: bool, path: str) -> None:
    """Refuses a stage that trains nothing or never ends."""
    values = flags.values_of(TrainConfig, stage.arguments)
    said = f"{path}: stage [{stage.name}]"
    if not has_own:
        raise UserError(f"{said} trains nothing: it has no flags; add some, or drop it")
    if values.get("learning_rate") == 0:
        raise UserError(f"{said} trains nothing with --learning_rate=0: raise it")
    ends = values.get("max_number_of_steps") or values.get("max_number_of_epochs")
    if not ends and values.get("head_solver", "steps") == "steps":
        raise UserError(
            f"{said} would never end: add --max_number_of_epochs, or"
            " --max_number_of_steps"
        )


def require_scopes(stages: Sequence[Stage], model_name: str, path: str) -> None:
    """Refuses a stage whose scopes name nothing of the net, before any is trained.

    Args:
      stages: the stages of the recipe.
      model_name: the net.
      path: the path of the recipe, for messages.

    Raises:
      UserError: it is so.
    """
    nets: dict[NewHead, Network] = {}
    for stage in stages:
        if not stage.trains:
            continue
        values = flags.values_of(TrainConfig, stage.arguments)
        with headings.explained(stage, path):
            units = parse_hidden_units(values.get("head_hidden_units"))
            head = NewHead(values.get("final_endpoint"), units)
            if head not in nets:
                nets[head] = Network(
                    model_name, num_classes=_ANY_NUMBER, head=head, draw_weights=False
                )
            _require_scopes(values, nets[head])


def _require_scopes(values: Mapping[str, Any], network: Network) -> None:
    multipliers = rate_factors.parse(values.get("learning_rate_multipliers"))
    by_flag = {
        "trainable_scopes": values.get("trainable_scopes"),
        "checkpoint_exclude_scopes": values.get("checkpoint_exclude_scopes"),
        "learning_rate_multipliers": ",".join(scope for scope, _ in multipliers),
    }
    for flag, text in by_flag.items():
        named = scopes.parse_scopes(text, flag=flag)
        names = list(network.model_variables)
        scopes.select(named, names, flag=flag, head_scopes=network.head_scopes)
