"""Recipes: files of training flags in sections, a section a stage."""

import contextlib
import dataclasses
import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from checkpoints import rate_factors, scopes
from config import flags
from config.shared_options import parse_hidden_units
from config.train_config import TrainConfig
from errors import UserError
from nets.network import Network
from nets.new_head import NewHead

# A stage's `start` where that is no other stage.
WEIGHTS = "weights"
NOTHING = "nothing"

_HEADING = re.compile(r"\[([A-Za-z0-9][\w-]*)(?: +from +([A-Za-z0-9][\w-]*))?\]$")
# At the start of a word: names of files may hold a #. Quotes mean nothing in it.
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*")
_ANY_NUMBER = 2  # of classes: the names of a net's variables are the same with any
# What fine_tune.py decides itself, and of which a recipe is not to speak.
_NOT_ITS_OWN = (
    *("dataset_dir", "dataset_name", "train_dir", "dry_run", "list_scopes"),
    *("max_run_secs", "find_learning_rate"),
)


@dataclasses.dataclass(frozen=True)
class Stage:
    """One training run of several.

    Attributes:
      name: of the stage.
      arguments: its training flags, as in `--batch_size=8`.
      start: the earlier stage that it starts from, WEIGHTS for what the first stage
        starts from, or NOTHING for random weights; empty for the stage before.
    """

    name: str
    arguments: tuple[str, ...]
    start: str = ""

    @property
    def heading(self) -> str:
        """As in the file, without the brackets."""
        return f"{self.name} from {self.start}" if self.start else self.name


def read(path: str) -> list[Stage]:
    """The stages of a recipe, in order.

    In the file `#` starts a comment, flags above the first heading hold for all
    stages, and a flag of a stage wins over them. A stage starts from the one before;
    `[top from head]`, `[all from weights]` and `[all from nothing]` say otherwise.

    Args:
      path: of a text file.

    Raises:
      UserError: the file cannot be read, a line is neither heading nor flags, there is
        no heading, or a stage trains nothing, would never end or starts from what is
        no stage.
    """
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise UserError(f"--recipe={path} cannot be read: {reason}") from error
    common: list[str] = []
    sections: dict[str, list[str]] = {}
    starts: dict[str, str] = {}
    section = common
    for number, line in enumerate(map(str.strip, lines), 1):
        where = f"{path}, line {number}"
        if line.startswith("["):
            name, starts[name] = _heading(line, sections, where)
            section = sections.setdefault(name, [])
        else:
            section += _flags(line, where, is_common=section is common)
    if not sections:
        raise UserError(
            f"{path} has no [stage] heading: put one, as in [head], above the flags of"
            " each stage"
        )
    stages = [
        Stage(name, (*common, *arguments), starts[name])
        for name, arguments in sections.items()
    ]
    for stage in stages:
        _require_training(stage, has_own=bool(sections[stage.name]), path=path)
    return stages


def _heading(line: str, earlier: Collection[str], where: str) -> tuple[str, str]:
    """Name and start of a stage."""
    match = _HEADING.match(line.partition("#")[0].strip())
    if match is None:
        raise UserError(
            f"{where}: {line!r} is no heading: a stage's name in brackets, of letters,"
            " digits, '_' and '-', as in [head] or [top from head]"
        )
    name, start = match[1], match[2] or ""
    if name in earlier:
        raise UserError(f"{where}: there is a stage [{name}] already: rename one")
    if name in (WEIGHTS, NOTHING):
        raise UserError(
            f"{where}: [{name}] could not be told from what a stage starts from:"
            " rename the stage"
        )
    known = [*earlier, WEIGHTS, NOTHING]
    if start and start not in known:
        raise UserError(
            f"{where}: [{name}] cannot start from {start!r}: it takes an earlier stage,"
            f" or {WEIGHTS} or {NOTHING}, thus {', '.join(known)}"
        )
    return name, start


def _flags(line: str, where: str, *, is_common: bool) -> list[str]:
    try:
        words = shlex.split(_COMMENT.sub("", line))
    except ValueError as error:
        raise UserError(f"{where}: {error}, in {line!r}") from error
    try:
        given = flags.values_of(TrainConfig, words)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    for name in sorted(given.keys() & set(_NOT_ITS_OWN)):
        raise UserError(
            f"{where}: --{name} is decided by fine_tune.py, and no recipe's: remove it"
        )
    if "checkpoint_path" in given and not is_common:
        raise UserError(
            f"{where}: a stage starts from the one before, or from what its heading"
            f" says, as in [all from {WEIGHTS}] or [all from {NOTHING}];"
            " --checkpoint_path stands above the first heading, or on the command line"
        )
    return words


def _require_training(stage: Stage, *, has_own: bool, path: str) -> None:
    """Refuses a stage that trains nothing or for ever."""
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
      stages: of the recipe.
      model_name: the net.
      path: of the recipe, for messages.

    Raises:
      UserError: it is so.
    """
    nets: dict[NewHead, Network] = {}
    for stage in stages:
        values = flags.values_of(TrainConfig, stage.arguments)
        with _in_stage(stage, path):
            units = parse_hidden_units(values.get("head_hidden_units"))
            head = NewHead(values.get("final_endpoint"), units)
            if head not in nets:
                nets[head] = Network(model_name, num_classes=_ANY_NUMBER, head=head)
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


@contextlib.contextmanager
def _in_stage(stage: Stage, path: str) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: stage [{stage.name}]: {error}") from error
