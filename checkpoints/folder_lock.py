"""One trainer a folder: a lock that ends with the process that holds it."""

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator

from absl import logging

from errors import UserError

FILE_NAME = ".lock"


@contextlib.contextmanager
def locked(folder: str) -> Iterator[None]:
    """Holds the lock of a folder inside.

    Where the file system has no locks, a warning takes its place.

    Args:
      folder: an existing folder; the lock is its file `.lock`.

    Raises:
      UserError: another process holds it; it is named.
    """
    path = os.path.join(folder, FILE_NAME)
    with open(path, "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise UserError(
                f"{folder} is being trained by {file.read() or 'another process'}: wait"
                " for it, or use another --train_dir"
            ) from error
        except OSError as error:
            logging.warning(
                "%s cannot be locked (%s): let no other run train there",
                *(folder, error.strerror),
            )
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield
