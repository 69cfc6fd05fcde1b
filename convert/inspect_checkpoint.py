r"""Shows what a checkpoint holds, which net it fits, and how it differs from another.

    python convert/inspect_checkpoint.py --checkpoint_path=runs/a
    python convert/inspect_checkpoint.py --checkpoint_path=runs/a/model.ckpt-5 \
        --compare_with=runs/a/model.ckpt-10

`--checkpoint_path` takes what the training script takes: a folder, a prefix, one of the
checkpoint's files, or a single-file checkpoint in the format of 2016.
"""

import script_start  # noqa: F401  (before all that takes time)

import collections
import dataclasses
import math
import os
from collections.abc import Mapping

import numpy as np

import common.quiet_tensorflow  # noqa: F401  (before others load it)
from checkpoints import model_info, scopes, slim_format
from checkpoints.restore import RUNNING_AVERAGE
from common import progress, tables
from common.natural_order import natural_key
from common.untrusted_text import first_few, printable
from config import app, flags
from config.options import Options, option
from convert.weights import fit_text, net_fit

AVERAGE = "ExponentialMovingAverage"


@dataclasses.dataclass(frozen=True)
class Contents:
    """The names in a checkpoint, by kind.

    Attributes:
      variables: the shape of each variable of the net, by name.
      averages: names of the variables that have a moving average.
      slots: names of the variables that have a slot, by the optimizer's name for it
        ("RMSProp_1").
      others: the shape of everything else: `global_step`, an optimizer's scalars.
    """

    variables: dict[str, tuple[int, ...]]
    averages: tuple[str, ...]
    slots: dict[str, tuple[str, ...]]
    others: dict[str, tuple[int, ...]]


def sort_names(shapes: Mapping[str, tuple[int, ...]]) -> Contents:
    """Separates a net's variables from what training stores with them.

    A name below a variable's name belongs to that variable: its moving average or an
    optimizer's slot. A name without a scope is not a variable of a net.

    Args:
      shapes: the shape of each array of a checkpoint, by name.

    Returns:
      The names by kind, each kind in natural order: Mixed_10 after Mixed_9.
    """
    variables, others = {}, {}
    averages: list[str] = []
    slots: dict[str, list[str]] = collections.defaultdict(list)
    for name in sorted(shapes, key=natural_key):
        parent, _, last = name.rpartition("/")
        if parent in shapes:
            (averages if last == AVERAGE else slots[last]).append(parent)
        elif parent:
            variables[name] = shapes[name]
        else:
            others[name] = shapes[name]
    by_slot = {slot: tuple(names) for slot, names in sorted(slots.items())}
    return Contents(variables, tuple(averages), by_slot, others)


def summary(checkpoint: slim_format.Checkpoint) -> str:
    """What a checkpoint holds: totals, and a table by scope."""
    contents = sort_names(checkpoint.shapes)
    parameters = sum(map(math.prod, contents.variables.values()))
    lines = [
        checkpoint.path,
        f"{len(contents.variables):,} variables, {parameters:,} parameters",
    ]
    if contents.averages:
        lines.append(f"{len(contents.averages):,} moving averages (/{AVERAGE})")
    lines += [
        f"{len(names):,} {_kind_of_slot(slot)} /{slot}"
        for slot, names in contents.slots.items()
    ]
    for name, shape in contents.others.items():
        value = checkpoint.read(name) if not shape else f"shape {_shape(shape)}"
        lines.append(f"{name}: {value}")
    return "\n".join([*lines, "", _table_by_scope(contents)])


def _kind_of_slot(slot: str) -> str:
    if slot == RUNNING_AVERAGE:
        return "running averages of batch norms with recomputed statistics,"
    return "optimizer slots"


def variables_table(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """A table of all names with their shapes and numbers of parameters."""
    rows = [
        [name, _shape(shapes[name]), f"{math.prod(shapes[name]):,}"]
        for name in sorted(shapes, key=natural_key)
    ]
    return tables.text_table(("name", "shape", "parameters"), rows)


def difference_text(
    first: slim_format.Checkpoint, second: slim_format.Checkpoint
) -> str:
    """How the values of two checkpoints differ, by scope.

    Args:
      first: a checkpoint.
      second: the checkpoint to compare it with.

    Returns:
      The names that only one of them has, the names whose shapes differ, and a table
      of the others: how many arrays of a scope are identical to the last bit, and the
      largest difference between two values, absolute and relative to the largest value
      in the first checkpoint's array.
    """
    lines = [
        *_only_in(first, second),
        *_only_in(second, first),
    ]
    common = sorted(first.shapes.keys() & second.shapes.keys(), key=natural_key)
    misshapen = [n for n in common if first.shapes[n] != second.shapes[n]]
    for name in misshapen:
        shapes = _shape(first.shapes[name]), _shape(second.shapes[name])
        lines.append(f"{printable(name)}: shape {shapes[0]} vs. {shapes[1]}")
    comparable = [name for name in common if name not in set(misshapen)]
    differences: dict[str, list[tuple[float, float]]] = collections.defaultdict(list)
    for name in progress.progress(
        comparable, total=len(comparable), desc="comparing", unit="variable"
    ):
        differences[scopes.block_of(name) or name].append(
            _difference(first.read(name), second.read(name))
        )
    rows = [
        [
            block,
            f"{len(pairs):,}",
            f"{sum(absolute == 0 for absolute, _ in pairs):,}",
            f"{max(absolute for absolute, _ in pairs):.3g}",
            f"{max(relative for _, relative in pairs):.3g}",
        ]
        for block, pairs in differences.items()
    ]
    headers = ("scope", "in both", "identical", "largest difference", "relative")
    title = f"{first.path} and {second.path}"
    return "\n".join([*lines, tables.printed(headers, rows, title=title)])


def _difference(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """The largest difference, absolute and relative to the largest value of `first`."""
    if first.dtype.kind not in "fiu" or not first.size:
        return float(not np.array_equal(first, second)), 0.0
    ours, theirs = first.astype(np.float64), second.astype(np.float64)
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    largest = float(np.max(np.where(same, 0.0, np.abs(ours - theirs))))
    return largest, largest / max(float(np.max(np.abs(ours))), 1e-30)


def _only_in(one: slim_format.Checkpoint, other: slim_format.Checkpoint) -> list[str]:
    names = sorted(one.shapes.keys() - other.shapes.keys(), key=natural_key)
    return [f"only in {one.path}: {len(names)} ({first_few(names)})"] if names else []


def _table_by_scope(contents: Contents) -> str:
    averages = collections.Counter(map(scopes.block_of, contents.averages))
    slots = collections.Counter(
        scopes.block_of(name) for names in contents.slots.values() for name in names
    )
    blocks: dict[str, list[tuple[int, ...]]] = collections.defaultdict(list)
    for name, shape in contents.variables.items():
        blocks[scopes.block_of(name)].append(shape)
    rows = [
        [
            block,
            f"{len(shapes):,}",
            f"{sum(map(math.prod, shapes)):,}",
            f"{averages[block]:,}",
            f"{slots[block]:,}",
        ]
        for block, shapes in blocks.items()
    ]
    return tables.printed(
        ("scope", "variables", "parameters", "moving averages", "slots"), rows
    )


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"


@dataclasses.dataclass(frozen=True)
class InspectionOptions(Options):
    """Checkpoint to inspect."""

    checkpoint_path: str = option(
        None,
        "The checkpoint: a folder (its newest checkpoint), a prefix such as"
        " model.ckpt-1000, or one of its files.",
        required=True,
    )
    compare_with: str | None = option(
        None,
        "Another checkpoint: prints only how the two differ.",
    )
    variables: bool = option(
        False, "List every name with its shape, in addition to the scopes."
    )


def main() -> None:
    """Prints what the flags ask for."""
    options = flags.read(InspectionOptions)
    checkpoint = slim_format.Checkpoint(
        slim_format.find_checkpoint(options.checkpoint_path)
    )
    if options.compare_with:
        other = slim_format.find_checkpoint(options.compare_with, flag="compare_with")
        print(difference_text(checkpoint, slim_format.Checkpoint(other)))
        return
    print(summary(checkpoint))
    if options.variables:
        print(variables_table(checkpoint.shapes))
    print(_fits(checkpoint))


def _fits(checkpoint: slim_format.Checkpoint) -> str:
    """The net that model.json names, if it fits, or else all that fit."""
    shapes = sort_names(checkpoint.shapes).variables
    info = model_info.read(os.path.dirname(checkpoint.path) or ".")
    if info is not None:
        fit = net_fit.compare(shapes, info.model_name, info)
        if fit.is_whole:
            return fit_text.fits([fit])
    names = net_fit.candidates(shapes)
    return fit_text.fits(
        [
            net_fit.compare(shapes, name)
            for name in progress.progress(
                names, total=len(names), desc="trying nets", unit="net"
            )
        ]
    )


if __name__ == "__main__":
    flags.define(InspectionOptions)
    app.run(main)
