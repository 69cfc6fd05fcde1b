"""Command-line flags, made from `Options`: the one way in which commands define flags.

A command declares its flags as a group, a frozen dataclass of `option` fields:

    @dataclasses.dataclass(frozen=True)
    class GraphOptions(Options):
        "Frozen graph."  # the title of the group in --help

        graph_file: str = option(None, "The frozen graph.", required=True)

`flags.define(GraphOptions)` under `if __name__ == "__main__":` makes the flags, and
`flags.read(GraphOptions)` in `main` gives their checked values as a `GraphOptions`.
Flags that several commands share stand in a base class of their groups. A list is a
`str` option; `config.options.split_list` takes it apart.

The commands that build a net have a record of several groups, such as `TrainConfig`,
which checks what depends on more than one of them; `define` and `read` take it as they
take a group, and also refuse the flags of slim that have no meaning here.

No other module reads values of flags.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from absl import flags

from config.options import Options
from errors import UserError

Config = TypeVar("Config")

_ONE_MACHINE = "only the devices of one machine are used (training: --num_clones)"
_FLOAT_FIRST = "train in float and quantise the finished model"
# Flags of slim that have no meaning here: slim's default, which old scripts may go on
# passing, and what to use in place of any other value.
_REPLACED: Mapping[str, tuple[str | int | bool, str]] = {
    "master": ("", _ONE_MACHINE),
    "worker_replicas": (1, _ONE_MACHINE),
    "num_ps_tasks": (0, f"there are no parameter servers; {_ONE_MACHINE}"),
    "task": (0, _ONE_MACHINE),
    "sync_replicas": (False, f"clones are always in step; {_ONE_MACHINE}"),
    "replicas_to_aggregate": (1, f"clones are always in step; {_ONE_MACHINE}"),
    "quantize_delay": (-1, _FLOAT_FIRST),
    "quantize": (False, _FLOAT_FIRST),
}


def define(config: type) -> None:
    """Defines a flag for every option of a group, or of a record of groups.

    Args:
      config: an `Options` group, or a dataclass of such groups, as `TrainConfig`.
    """
    if issubclass(config, Options):
        _define_group(config)
        return
    for group in typing.get_type_hints(config).values():
        _define_group(group)
    for name, (default, _) in _REPLACED.items():
        if name not in flags.FLAGS:
            _DEFINE[type(default)](
                name,
                default,
                "Flag of slim that is refused.",
                module_name="Refused flags of slim",
            )


def _define_group(group: type) -> None:
    types_of = typing.get_type_hints(group)
    title = (group.__doc__ or "").rstrip(".")
    for field in dataclasses.fields(group):
        _DEFINE[_value_type(types_of[field.name])](
            field.name, field.default, field.metadata["help"], module_name=title
        )


def read(config: type[Config]) -> Config:
    """The group, or the record of groups, with the values of the parsed flags.

    Raises:
      UserError: a value is missing, outside its limits, or contradicts another.
    """
    values = flags.FLAGS.flag_values_dict()
    if issubclass(config, Options):
        return _read_group(config, values)
    for name, (default, instead) in _REPLACED.items():
        if values[name] != default:
            raise UserError(f"--{name}={values[name]} is refused: {instead}")
    groups = {
        name: _read_group(group, values)
        for name, group in typing.get_type_hints(config).items()
    }
    return config(**groups)


def _read_group(group: type[Config], values: Mapping[str, Any]) -> Config:
    names = [field.name for field in dataclasses.fields(group)]  # type: ignore[arg-type]
    return group(**{name: values[name] for name in names})


def given() -> frozenset[str]:
    """Names of the flags that the command line sets."""
    known = flags.FLAGS
    return frozenset(name for name in known if not known[name].using_default_value)


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
