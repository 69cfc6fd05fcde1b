"""How a checkpoint's variables fit the nets, in words."""

from collections.abc import Sequence

from common.untrusted_text import first_few, printable
from convert.weights.net_fit import Fit


def fits(found: Sequence[Fit]) -> str:
    """One line for each net that fits, or one for the nearest net."""
    whole = [fit for fit in found if fit.is_whole]
    if whole:
        return "\n".join(_fitting_line(fit) for fit in whole)
    if not found:
        return "fits no net: none has variables in these scopes"
    nearest = min(found, key=_distance)
    return f"fits no net; the nearest is {nearest.model_name}: {misfit(nearest)}"


def misfit(fit: Fit) -> str:
    """How many variables differ from the net's in which way, with an example each."""
    return "; ".join(
        f"{len(names)} {what}, such as {printable(names[0])}"
        for names, what in (
            (fit.missing, "missing"),
            (fit.unknown, "not in the net"),
            (fit.misshapen, "with another shape"),
        )
        if names
    )


def _fitting_line(fit: Fit) -> str:
    classes = f" with {fit.num_classes} classes" if fit.num_classes else ""
    line = f"fits {fit.model_name}{fit.head.as_flags()}{classes}: "
    if fit.missing:
        there = fit.total - len(fit.missing)
        line += (
            f"{there} of {fit.total} variables, all but those of its heads: restore it"
            f" with --checkpoint_exclude_scopes={','.join(fit.missing_heads)}"
        )
    else:
        line += f"all {fit.total} variables"
    if fit.unknown:
        line += f"; {len(fit.unknown)} more are not used ({first_few(fit.unknown)})"
    return line


def _distance(fit: Fit) -> int:
    return len(fit.missing) + len(fit.unknown) + len(fit.misshapen)
