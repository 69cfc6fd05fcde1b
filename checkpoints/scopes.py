"""The one rule by which a scope names variables.

A scope, as users write it in `--checkpoint_exclude_scopes` and `--trainable_scopes`,
matches a variable when the variable's name starts with it, read as plain text or as a
regular expression: `InceptionV3/Mixed_7` takes Mixed_7a to Mixed_7c, `.*/BatchNorm`
takes every batch norm. End a scope with `/` to stop it at its own name:
`cell_1/` leaves `cell_10` alone. The word `head` stands for the net's own logits and
auxiliary scopes.
"""

import difflib
import re
from collections.abc import Iterable, Sequence

from errors import UserError

HEAD = "head"


def parse_scopes(text: str | None, *, flag: str) -> tuple[str, ...]:
    """Scopes of a comma-separated flag value.

    Args:
      text: the flag's value; None or blank for no scopes.
      flag: its name, for messages.

    Returns:
      The scopes, stripped, each once, in order.

    Raises:
      UserError: an entry is empty, as from a stray comma.
    """
    if text is None or not text.strip():
        return ()
    scopes = [scope.strip() for scope in text.split(",")]
    if "" in scopes:
        raise UserError(
            f"--{flag}={text} has an empty entry, which would match every variable:"
            " remove the stray comma"
        )
    return tuple(dict.fromkeys(scopes))


def matches(scope: str, variable_name: str) -> bool:
    """Whether `scope` names the variable: as a prefix, or as a regular expression."""
    if variable_name.startswith(scope):
        return True
    try:
        return re.match(scope, variable_name) is not None
    except re.error:
        return False


def select(
    scopes: Sequence[str],
    variable_names: Sequence[str],
    *,
    flag: str,
    head_scopes: Sequence[str] = (),
) -> tuple[str, ...]:
    """Variables that any of the scopes names.

    Args:
      scopes: scopes as users write them; `head` stands for `head_scopes`.
      variable_names: all variables to choose from.
      flag: the flag that holds the scopes, for messages.
      head_scopes: the net's logits and auxiliary scopes.

    Returns:
      The matching names, each once, in the order of `variable_names`.

    Raises:
      UserError: a scope matches nothing; the nearest scopes are named.
    """
    chosen: set[str] = set()
    for scope in scopes:
        meant = head_scopes if scope == HEAD else (scope,)
        found = {
            name for name in variable_names for part in meant if matches(part, name)
        }
        if not found:
            raise UserError(_no_match(scope, variable_names, flag))
        chosen |= found
    return tuple(name for name in variable_names if name in chosen)


def _no_match(scope: str, variable_names: Sequence[str], flag: str) -> str:
    try:
        re.compile(scope)
    except re.error as error:
        return f"--{flag}: {scope} is not a regular expression: {error}"
    near = nearest_scopes(scope, variable_names)
    if difflib.get_close_matches(scope.lower(), [HEAD], cutoff=0.6):
        near = [HEAD, *near]
    hint = f"; the nearest scopes are {', '.join(near)}" if near else ""
    return (
        f"--{flag}: no variable matches the scope {scope}{hint}"
        " (--list_scopes prints all)"
    )


def all_scopes(variable_names: Iterable[str]) -> list[str]:
    """Every scope that holds a variable, outer before inner, in order of creation."""
    scopes: dict[str, None] = {}
    for name in variable_names:
        parts = name.split("/")
        for depth in range(1, len(parts)):
            scopes.setdefault("/".join(parts[:depth]))
    return list(scopes)


def nearest_scopes(
    scope: str, variable_names: Iterable[str], count: int = 3
) -> list[str]:
    """The scopes most like `scope`: those with its last parts, then by spelling."""
    known = all_scopes(variable_names)
    wanted = scope.strip("/").lower()
    endings = [s for s in known if f"/{s.lower()}".endswith(f"/{wanted}")]
    by_lower = {s.lower(): s for s in reversed(known)}
    spelling = difflib.get_close_matches(wanted, list(by_lower), n=count, cutoff=0.6)
    near = dict.fromkeys(endings[:count] + [by_lower[s] for s in spelling])
    return list(near)[:count]


def block_of(name: str) -> str:
    """The scope of the second level, as in "InceptionV3/Mixed_7a", of a variable."""
    return "/".join(name.split("/")[:-1][:2])
