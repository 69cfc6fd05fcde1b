"""Command-line flags, made from `Options`: the only way in which commands define them.

A command declares its flags as a group, a frozen dataclass of `option` fields:

    @dataclasses.dataclass(frozen=True)
    class GraphOptions(Options):
        "Frozen graph."  # the title of the group in --help

        graph_file: str = option(None, "The frozen graph.", required=True)

`flags.define(GraphOptions)` under `if __name__ == "__main__":` defines the flags, and
`flags.read(GraphOptions)` in `main` returns their checked values as a `GraphOptions`.
Flags that several commands share are in a base class of their groups. A list is a `str`
option; `config.options.split_list` splits it.

The commands that build a net have a config of several groups, such as `TrainConfig`,
which checks what depends on more than one of them. `define` and `read` take a config
like a group, and also refuse the flags of slim that have no meaning here.

No other module reads values of flags.
"""

import dataclasses
import inspect
import types
import typing
from collections.abc import Mapping, Sequence, Set
from typing import Any, TypeVar

from absl import flags

from config.options import Options
from errors import UserError, one_line

Config = TypeVar("Config")


@typing.runtime_checkable
class ChecksGiven(typing.Protocol):
    """A config that is also checked by which flags were given, whatever their value."""

    def check_given(self, given: Set[str]) -> None:
        """Raises UserError where the flags of these names contradict the others."""


_MACHINES = (
    "start the same command once on every machine, as srun does (--cluster says how the"
    " machines find each other); --num_clones is the number of devices of each"
)
_EXPECTED = {
    "could not convert string to float:": "expected a number, not",
    "invalid literal for int() with base 10:": "expected a whole number, not",
}
_FLOAT_FIRST = "train in float and quantize the finished model"
# Flags of slim that have no meaning here: slim's default, which old scripts may still
# pass, and what to use instead of any other value.
_REPLACED: Mapping[str, tuple[str | int | bool, str]] = {
    "master": ("", _MACHINES),
    "worker_replicas": (1, _MACHINES),
    "num_ps_tasks": (0, f"there are no parameter servers; {_MACHINES}"),
    "task": (0, _MACHINES),
    "sync_replicas": (False, f"clones are always in step; {_MACHINES}"),
    "replicas_to_aggregate": (1, f"clones are always in step; {_MACHINES}"),
    "quantize_delay": (-1, _FLOAT_FIRST),
    "quantize": (False, _FLOAT_FIRST),
}


def define(config: type, into: flags.FlagValues = flags.FLAGS) -> None:
    """Defines a flag for every option of a group, or of a config of groups.

    Args:
      config: an `Options` group, or a dataclass of groups such as `TrainConfig`.
      into: where to define them; by default, as flags of the command line.
    """
    if issubclass(config, Options):
        _define_group(config, into)
        return
    for group in _groups_of(config).values():
        _define_group(group, into)
    for name, (default, _) in _REPLACED.items():
        if name not in into:
            _DEFINE[type(default)](
                name,
                default,
                "Flag of slim that is refused.",
                flag_values=into,
                module_name="Refused flags of slim",
            )


def _groups_of(config: type) -> dict[str, type]:
    """A config's groups by field, its own before those of its base class."""
    hints = typing.get_type_hints(config)
    return {name: hints[name] for name in inspect.get_annotations(config)} | hints


def names_of(config: type) -> set[str]:
    """Names of the flags of all groups of a config."""
    groups = typing.get_type_hints(config).values()
    return {field.name for group in groups for field in dataclasses.fields(group)}


def _define_group(group: type, into: flags.FlagValues) -> None:
    types_of = typing.get_type_hints(group)
    title = (group.__doc__ or "").rstrip(".")
    for field in dataclasses.fields(group):
        _DEFINE[_value_type(types_of[field.name])](
            field.name,
            field.default,
            field.metadata["help"],
            flag_values=into,
            module_name=title,
        )


def read(config: type[Config], known: flags.FlagValues = flags.FLAGS) -> Config:
    """The group, or the config of groups, with the values of the parsed flags.

    Args:
      config: an `Options` group, or a dataclass of groups.
      known: the flags; by default those of the command line.

    Raises:
      UserError: a value is missing, outside its limits, or contradicts another.
    """
    values = known.flag_values_dict()
    if issubclass(config, Options):
        return _read_group(config, values)
    groups = _groups_of(config).items()
    own = {field.name for _, group in groups for field in dataclasses.fields(group)}
    for name, (default, instead) in _REPLACED.items():
        if name not in own and values[name] != default:
            raise UserError(f"--{name}={values[name]} is refused: {instead}")
    made = config(**{name: _read_group(group, values) for name, group in groups})
    if isinstance(made, ChecksGiven):
        made.check_given(_given(known))
    return made


def _read_group(group: type[Config], values: Mapping[str, Any]) -> Config:
    names = [field.name for field in dataclasses.fields(group)]  # type: ignore[arg-type]
    return group(**{name: values[name] for name in names})


def given() -> frozenset[str]:
    """Names of the flags on the command line."""
    return _given(flags.FLAGS)


def _given(known: flags.FlagValues) -> frozenset[str]:
    return frozenset(name for name in known if not known[name].using_default_value)


def parse(
    config: type[Config], arguments: Sequence[str]
) -> tuple[Config, frozenset[str]]:
    """Reads a config from arguments as from a command line.

    Args:
      config: a dataclass of `Options` groups.
      arguments: flags such as `--batch_size=8`; the last of one name wins.

    Returns:
      The config, and the names of the flags that the arguments set.

    Raises:
      UserError: a flag is unknown, or its value is wrong or contradicts another's.
    """
    known = _parsed(config, arguments)
    return read(config, known), _given(known)


def values_of(config: type, arguments: Sequence[str]) -> dict[str, Any]:
    """The values that arguments give to flags, by name, in order of first mention.

    Raises:
      UserError: a flag is unknown, or its value is of another type.
    """
    known = _parsed(config, arguments)
    mentioned = [word.lstrip("-").partition("=")[0] for word in arguments]
    named = dict.fromkeys(
        name.removeprefix("no") if name not in known else name for name in mentioned
    )
    names = [name for name in named if name in _given(known)]
    return {name: known[name].value for name in names}


def _parsed(config: type, arguments: Sequence[str]) -> flags.FlagValues:
    known = flags.FlagValues()
    define(config, known)
    try:
        rest = known(["", *arguments])
    except flags.Error as error:
        raise UserError(error_text(error)) from error
    if len(rest) > 1:
        raise UserError(f"unexpected {rest[1]!r}: flags are written --name=value")
    return known


def error_text(error: flags.Error) -> str:
    """The message of absl on one line, without Python's words for a value's type."""
    said = one_line(error).removeprefix("ERROR:: ")
    for theirs, ours in _EXPECTED.items():
        said = said.replace(theirs, ours)
    return said


def as_arguments(values: Mapping[str, Any]) -> list[str]:
    """Flags by name as arguments for `parse`, without those that are None."""
    return [
        f"--{name}={str(value).lower() if isinstance(value, bool) else value}"
        for name, value in values.items()
        if value is not None
    ]


_DEFINE = {
    str: flags.DEFINE_string,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    bool: flags.DEFINE_boolean,
}


def _value_type(hint: Any) -> type:
    """`int` of `int` and of `int | None`."""
    if isinstance(hint, types.UnionType):
        return next(part for part in hint.__args__ if part is not type(None))
    return typing.cast(type, hint)
