"""How variables fit the nets of the factory, in words."""

from collections.abc import Sequence

from common.untrusted_text import first_few, printable
from convert.weights.net_fit import Fit


def describe_fits(fits: Sequence[Fit]) -> str:
    """One line for each net that fits, or one for the net that comes nearest."""
    whole = [fit for fit in fits if fit.is_whole]
    if whole:
        return "\n".join(_fitting_line(fit) for fit in whole)
    if not fits:
        return "fits no net of the factory: none has variables under these scopes"
    nearest = min(fits, key=_distance)
    return (
        f"fits no net of the factory; the nearest is {nearest.model_name}:"
        f" {describe_misfit(nearest)}"
    )


def describe_misfit(fit: Fit) -> str:
    """How many variables of each kind differ from the net's, with an example."""
    return "; ".join(
        f"{len(names)} {what}, such as {printable(names[0])}"
        for names, what in (
            (fit.missing, "missing"),
            (fit.unknown, "that it does not have"),
            (fit.misshapen, "of another shape"),
        )
        if names
    )


def _fitting_line(fit: Fit) -> str:
    classes = f" with {fit.num_classes} classes" if fit.num_classes else ""
    line = f"fits {fit.model_name}{classes}: "
    if fit.missing:
        there = fit.total - len(fit.missing)
        line += (
            f"{there} of {fit.total} variables, the others are in its heads;"
            f" --checkpoint_exclude_scopes={','.join(fit.missing_heads)}"
        )
    else:
        line += f"all {fit.total} variables"
    if fit.unknown:
        line += (
            f"; {len(fit.unknown)} more that it does not use ({first_few(fit.unknown)})"
        )
    return line


def _distance(fit: Fit) -> int:
    return len(fit.missing) + len(fit.unknown) + len(fit.misshapen)
