"""Exceptions for what the user can fix."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Wrong input: a flag, a path, a file or a name.

    It is a `ValueError`, as slim's functions raise for an unknown name.

    The message says what was found, what was expected and what to do about it.
    `config.app.run` prints it without a traceback and exits with `exit_status`.
    """

    exit_status = 2

    # Tells AutoGraph that the constructor takes a message only, so that it re-raises
    # the error with its position in traced code instead of an error of another type.
    __init__ = Exception.__init__

    def __str__(self) -> str:
        """The message on one line, whatever a name in it contains."""
        return " ".join(line.strip() for line in super().__str__().splitlines())


class NotFiniteError(UserError):
    """A loss, a weight or an output is NaN or infinite."""

    exit_status = 3


class PeerError(UserError):
    """Another machine that runs the same command did not join, or is gone.

    The same command may be started again. Kubeflow's TFJob sets status 138 aside for
    errors that are worth a retry.
    """

    exit_status = 138


def one_line(error: BaseException) -> str:
    """An error's message on one line; its class if there is no message."""
    return " ".join(str(error).split()) or type(error).__name__


def first_line(error: BaseException) -> str:
    """The first line of an error's message; its class if there is no message."""
    lines = str(error).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__


def nearest(name: str, known: Iterable[str]) -> str:
    """Known names similar to `name`, as " (did you mean A or B?)"; "" if none is."""
    by_lower = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), list(by_lower), n=3, cutoff=0.6)
    matches = [by_lower[other] for other in near]
    return f" (did you mean {' or '.join(matches)}?)" if matches else ""
