"""SLURM's short forms of lists: of hosts, and of numbers of tasks."""

import itertools
import re

from errors import UserError

_PIECE = re.compile(r"\[([^\[\]]*)\]|([^\[\],]+)")
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")
_REPEATED = re.compile(r"(\d+)(?:\(x(\d+)\))?")


def hosts(text: str) -> list[str]:
    """The hosts of a list such as `n[1-3,07],r[1-2]n[08-10],m`, in its order.

    Raises:
      UserError: it is no such list.
    """
    found = [host for item in _items(text) for host in _expanded(item)]
    if not found:
        raise UserError(f"SLURM_STEP_NODELIST={text!r} names no host")
    return found


def tasks_per_machine(text: str, node: int) -> int:
    """The number of tasks on a node, of a list such as `2(x3),1`; 1 if it is unknown.

    Args:
      text: numbers by node, equal neighbors joined.
      node: from 0.
    """
    counts = [
        int(match[1])
        for match in map(_REPEATED.fullmatch, text.split(","))
        if match
        for _ in range(int(match[2] or 1))
    ]
    return counts[node] if node < len(counts) else 1


def _items(text: str) -> list[str]:
    """The parts of a list between the commas that stand outside of brackets."""
    return [part for part in re.split(r",(?![^\[]*\])", text) if part]


def _expanded(item: str) -> list[str]:
    parts: list[list[str]] = []
    end = 0
    for match in _PIECE.finditer(item):
        if match.start() != end:
            break
        end = match.end()
        parts.append([match[2]] if match[1] is None else _numbers(match[1], item))
    if end != len(item):
        raise UserError(f"{item!r} in SLURM_STEP_NODELIST is not a list of hosts")
    return ["".join(pieces) for pieces in itertools.product(*parts)]


def _numbers(ranges: str, item: str) -> list[str]:
    """The numbers of `1-3,07`, with their leading zeros."""
    numbers: list[str] = []
    for part in ranges.split(","):
        match = _RANGE.fullmatch(part)
        if not match:
            raise UserError(f"{item!r} in SLURM_STEP_NODELIST is not a list of hosts")
        first, last = match[1], match[2] or match[1]
        numbers += [f"{n:0{len(first)}d}" for n in range(int(first), int(last) + 1)]
    return numbers
