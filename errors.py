"""Exceptions for what the user can fix."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Wrong input: a flag, a path, a file or a name.

    It is the error that slim's functions raise for an unknown name.

    The message is a single line that says what was found, what was expected and what
    to do about it. `config.app.run` prints it without a traceback and exits with
    `exit_status`.
    """

    exit_status = 2

    # Shows AutoGraph that a message is all it takes to construct one, so that it raises
    # it again with the position in traced code, rather than an error of another type.
    __init__ = Exception.__init__


class NotFiniteError(UserError):
    """Training met a NaN or an infinity."""

    exit_status = 3


class PeerError(UserError):
    """Another machine that runs the same command did not come, or is gone.

    The same command may be started again: 138 is the status of which Kubeflow's TFJob
    says that it is for this.
    """

    exit_status = 138


def one_line(error: BaseException) -> str:
    """The message of an error, its lines and blanks joined; else the error's class."""
    return " ".join(str(error).split()) or type(error).__name__


def first_line(error: BaseException) -> str:
    """The first line of an error's message, where details follow; else its class."""
    lines = str(error).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__


def nearest(name: str, known: Iterable[str]) -> str:
    """The known names close to `name`, as " (did you mean A or B?)"; "" if none is."""
    matches = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f" (did you mean {' or '.join(matches)}?)" if matches else ""
