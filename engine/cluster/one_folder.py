"""Whether a folder is the same one on all machines, as its name alone does not say."""

import contextlib
import os
import secrets
import time
from collections.abc import Iterator

from checkpoints import shared_folder
from cluster.lines import Lines, Message, raise_error_of, told
from cluster.meeting import Met
from common import storage
from common.atomic_files import atomic_write, explained_errors
from common.untrusted_text import first_few
from errors import PeerError, UserError

_SECS_TO_APPEAR = 30.0  # for so long NFS may show a folder as it was (acdirmin)
_SECS_BETWEEN_LOOKS = 0.2
_SECS_FOR_NEXT = 60.0  # of the other side's messages: the longest look, and some


def require_shared(met: Met, folder: str) -> None:
    """Sees on all machines that they have one and the same --train_dir.

    The chief puts a file of a random name into it, for which the others look.

    Args:
      met: the machines, all of which call this.
      folder: the folder, which the chief makes.

    Raises:
      UserError: a machine does not see the file, or the chief cannot write it.
      PeerError: a machine is gone.
    """
    for line in met.lines.values():
        line.socket.settimeout(_SECS_FOR_NEXT)
    if met.rank != 0:
        _look(met, folder)
        return
    fault: UserError | None = None
    try:
        with explained_errors(), _file_in(folder) as name:
            _require_all_see(met, name, folder)
    except UserError as error:
        fault = error
    for line in met.lines.values():
        line.send(told(fault) if fault else {})
    if fault:
        raise fault


@contextlib.contextmanager
def _file_in(folder: str) -> Iterator[str]:
    """The name of a file that is in a folder inside."""
    shared_folder.make(folder)
    name = f".seen-by-all-{secrets.token_hex(8)}"
    path = os.path.join(folder, name)
    with atomic_write(path):
        pass
    try:
        yield name
    finally:
        storage.remove(path)


def _require_all_see(met: Met, name: str, folder: str) -> None:
    for line in met.lines.values():
        line.send({"look_for": name})
    answers = {rank: _next(met, rank) for rank in met.lines}
    blind = [met.names[rank] for rank, answer in answers.items() if not answer["sees"]]
    if blind:
        raise UserError(
            f"--train_dir={folder} is not one folder on all machines: what"
            f" {met.names[0]} wrote there is not seen by {first_few(blind)}: name a"
            " folder on a file system that all machines share"
        )


def _look(met: Met, folder: str) -> None:
    """Looks for the chief's file, and waits for what all others say."""
    asked = _next(met, 0)
    raise_error_of(asked)
    met.lines[0].send({"sees": _appears(asked["look_for"], folder)})
    raise_error_of(_next(met, 0))


def _appears(name: str, folder: str) -> bool:
    ends_at = time.monotonic() + _SECS_TO_APPEAR
    while True:
        # Listed, not looked up: that a name was not there is remembered for longer.
        with contextlib.suppress(OSError):
            if name in storage.names_in(folder):
                return True
        if time.monotonic() > ends_at:
            return False
        time.sleep(_SECS_BETWEEN_LOOKS)


def _next(met: Met, rank: int) -> Message:
    """The next message of a machine."""
    line: Lines = met.lines[rank]
    with contextlib.suppress(TimeoutError):
        if (message := line.receive()) is not None:
            return message
    raise PeerError(
        f"machine {met.names[rank]} is gone, or its file system does not answer: start"
        " the same command again on all machines"
    )
