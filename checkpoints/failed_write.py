"""The message for a checkpoint that could not be written."""

import errno
import os
import shutil

from common import storage
from errors import first_line

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def explain(prefix: str, num_bytes: int, error: Exception) -> str:
    """A one-line message; for a full disk, with the space needed and what to do.

    Args:
      prefix: prefix of the checkpoint.
      num_bytes: size of its values.
      error: from the system or TensorFlow.
    """
    reason = next((r for r in map(os.strerror, _FULL) if r in str(error)), None)
    if reason is None:
        return f"{prefix} cannot be written: {first_line(error)}"
    free = shutil.disk_usage(storage.making_folder(prefix)).free
    return (
        f"{prefix} cannot be written: {reason}; it needs {num_bytes / 1e6:.1f} MB, but"
        f" {free / 1e6:.1f} MB are free. Make room there and run the same command"
        " again, which continues from the previous checkpoint"
    )
