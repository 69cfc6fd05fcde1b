"""A flag as a dataclass field: default, help and limits in one place.

A group of flags is a frozen dataclass of `option` fields. `config.flags` defines the
flags from it, and the tables in docs/flags.md are generated from it. Defaults are
slim's unless the help says otherwise.
"""

import dataclasses
import math
from typing import Any

from errors import UserError

_SMALLEST = 1.1754944e-38  # float32's smallest normal number; TensorFlow flushes less
MOST_EPOCHS = 10**9  # so that steps are a 64-bit number


def option(
    default: Any,
    text: str,
    *,
    required: bool = False,
    choices: tuple[str, ...] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
) -> Any:
    """A field that is a flag.

    Args:
      default: the flag's default; None means unset.
      text: the flag's help.
      required: whether the flag must be set.
      choices: the values allowed; empty for any.
      minimum: the smallest value allowed.
      maximum: the largest value allowed.
      above: values must be greater than this.
    """
    limits = {"choices": choices, "minimum": minimum, "maximum": maximum}
    metadata = {"help": text, "required": required, **limits, "above": above}
    return dataclasses.field(default=default, metadata=metadata)


class Options:
    """Base class of the groups: checks every field against its limits on creation."""

    def __post_init__(self) -> None:
        """Checks each value against its field's limits."""
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            _check(field, getattr(self, field.name))


def _check(field: dataclasses.Field[Any], value: Any) -> None:
    limits = field.metadata
    if limits["required"] and value in (None, ""):
        raise UserError(f"--{field.name} is missing (--help explains it)")
    if value is None:
        return
    if limits["choices"] and value not in limits["choices"]:
        expected = f"one of {', '.join(limits['choices'])}"
    elif isinstance(value, float) and not math.isfinite(value):
        expected = "a finite number"
    elif isinstance(value, float) and 0 < abs(value) < _SMALLEST:
        zero = "" if limits["above"] == 0 else "0 or "
        expected = f"{zero}at least {_SMALLEST:.3g}; smaller numbers are 0 in float32"
    elif limits["minimum"] is not None and value < limits["minimum"]:
        expected = f"{limits['minimum']} or more"
    elif limits["maximum"] is not None and value > limits["maximum"]:
        expected = f"{limits['maximum']} or less"
    elif limits["above"] is not None and value <= limits["above"]:
        expected = f"more than {limits['above']}"
    else:
        return
    raise UserError(f"--{field.name}={value}: expected {expected}")


def split_list(text: str | None) -> list[str]:
    """The entries of a comma-separated flag, in order."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]
