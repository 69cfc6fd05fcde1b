"""The flags of the training and evaluation scripts, made from the options of `config`.

The only reader of `FLAGS` for these scripts.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from absl import flags

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
    """Defines a flag for every option of a configuration record.

    Args:
      config: `TrainConfig` or `EvalConfig`: a dataclass of `Options` groups.
    """
    for group in typing.get_type_hints(config).values():
        types_of = typing.get_type_hints(group)
        title = (group.__doc__ or "").rstrip(".")
        for field in dataclasses.fields(group):
            _DEFINE[_value_type(types_of[field.name])](
                field.name, field.default, field.metadata["help"], module_name=title
            )
    for name, (default, _) in _REPLACED.items():
        if name not in flags.FLAGS:
            _DEFINE[type(default)](
                name,
                default,
                "Flag of slim that is refused.",
                module_name="Refused flags of slim",
            )


def read(config: type[Config]) -> Config:
    """The configuration record of the parsed flags.

    Raises:
      UserError: a value is out of its limits, or contradicts another.
    """
    values = flags.FLAGS.flag_values_dict()
    for name, (default, instead) in _REPLACED.items():
        if values[name] != default:
            raise UserError(f"--{name}={values[name]} is refused: {instead}")
    groups = {
        name: group(**{f.name: values[f.name] for f in dataclasses.fields(group)})
        for name, group in typing.get_type_hints(config).items()
    }
    return config(**groups)


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
