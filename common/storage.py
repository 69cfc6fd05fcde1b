"""Paths of this machine and of object storage, told apart in this one place.

`gs://bucket/run` and its like go through TensorFlow's file systems, which are imported
when such a path is first seen; all other paths through the operating system, as ever.
An object appears whole once its upload has ended; object storage has neither locks nor
links, and its folders are the beginnings of names.
"""

import contextlib
import errno
import glob
import io
import os
import re
import tempfile
from typing import IO, Any

from common.tensorflow_files import file_systems, open_object, os_errors
from errors import UserError

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://")


def is_object(path: str | os.PathLike | None) -> bool:
    """Whether a path is one of object storage, as `gs://bucket/run`."""
    return bool(_SCHEME.match(os.fspath(path or "")))


def require_local(path: str | None, *, flag: str, instead: str) -> None:
    """Refuses a path of object storage.

    Args:
      path: what the flag says.
      flag: its name.
      instead: what to do, a clause.

    Raises:
      UserError: it is one.
    """
    if is_object(path):
        raise UserError(
            f"--{flag}={path}: this is read or written on a disk of this machine, not"
            f" in object storage: {instead}"
        )


def is_folder(path: str) -> bool:
    """Whether a folder is there; in object storage one with something in it."""
    if not is_object(path):
        return os.path.isdir(path)
    state = _state(path)
    return state is not None and state.is_directory


def is_file(path: str) -> bool:
    """Whether a file is there, or a link to one."""
    if not is_object(path):
        return os.path.isfile(path)
    state = _state(path)
    return state is not None and not state.is_directory


def exists(path: str) -> bool:
    """Whether a file or a folder is there."""
    return _state(path) is not None if is_object(path) else os.path.exists(path)


def size(path: str) -> int:
    """The bytes of a file that is there."""
    return times(path)["num_bytes"]


def times(path: str) -> dict[str, int]:
    """Everything that shows whether a file is untouched; an object has no inode.

    Returns:
      num_bytes, modified_ns, changed_ns and inode.
    """
    if not is_object(path):
        stat = os.stat(path)
        return {
            "num_bytes": stat.st_size,
            "modified_ns": stat.st_mtime_ns,
            "changed_ns": stat.st_ctime_ns,
            "inode": stat.st_ino,
        }
    state = _state(path)
    if state is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    modified = int(state.mtime_nsec)
    return {
        "num_bytes": int(state.length),
        "modified_ns": modified,
        "changed_ns": modified,
        "inode": 0,
    }


def names_in(folder: str) -> list[str]:
    """The names of what is in a folder, in no order."""
    if not is_object(folder):
        return os.listdir(folder or ".")
    with os_errors(folder):
        found = file_systems(folder).listdir(folder)
    # Some say "folder/", some the whole path, and some name the folder itself.
    return [n for name in found if (n := os.path.basename(name.rstrip("/")))]


def files_in(folder: str) -> list[str]:
    """The names of the files in a folder, in no order."""
    if not is_object(folder):
        return [entry.name for entry in os.scandir(folder) if entry.is_file()]
    return [n for n in names_in(folder) if is_file(os.path.join(folder, n))]


def matches(pattern: str, folder: str) -> list[str]:
    """The paths relative to a folder that a pattern of `glob` matches there."""
    if not is_object(folder):
        return glob.glob(pattern, root_dir=folder)
    # TensorFlow's escape is a backslash, and that of `glob` a bracket: "[[]".
    escaped = re.sub(r"\[([*?[])\]", r"\\\1", pattern)
    found: list[str] = []
    with contextlib.suppress(FileNotFoundError), os_errors(folder):
        found = file_systems(folder).glob(os.path.join(folder, escaped))
    return [path.removeprefix(folder.rstrip("/") + "/") for path in found]


def make_folders(path: str) -> None:
    """Makes a folder and those above it, if they are not there."""
    if not is_object(path):
        os.makedirs(path, exist_ok=True)
        return
    with os_errors(path):
        file_systems(path).makedirs(path)


def remove(path: str) -> None:
    """Removes a file.

    Raises:
      FileNotFoundError: it is not there.
    """
    if not is_object(path):
        os.remove(path)
        return
    with os_errors(path):
        file_systems(path).remove(path)


def rename(path: str, new_path: str) -> None:
    """Renames a file, in the place of another of that name."""
    if not is_object(path):
        os.rename(path, new_path)
        return
    with os_errors(path):
        file_systems(path).rename(path, new_path, overwrite=True)


def open_bytes(path: str, *, buffering: int = -1) -> IO[bytes]:
    """A file opened for reading.

    Args:
      path: the file.
      buffering: as `open` has it; 0 where only a few bytes here and there are read.

    Raises:
      OSError: it is not there, or not to be read.
    """
    if not is_object(path):
        return open(path, "rb", buffering)
    return open_object(path, size(path), buffering)


def open_text(
    path: str, *, encoding: str = "utf-8", newline: str | None = None
) -> IO[str]:
    """Like `open_bytes`, as text."""
    if not is_object(path):
        return open(path, encoding=encoding, newline=newline)
    return io.TextIOWrapper(open_bytes(path), encoding=encoding, newline=newline)


def absolute(path: str) -> str:
    """A path that means the same from every working directory."""
    return path if is_object(path) else os.path.abspath(path)


def real(path: str) -> str:
    """A path without links; object storage has none."""
    return path if is_object(path) else os.path.realpath(path)


def tidy(path: str) -> str:
    """A folder's path as it is shown: without a slash at its end."""
    return path.rstrip("/") if is_object(path) else os.path.normpath(path)


def making_folder(path: str) -> str:
    """The folder, of this machine, in which a file is made before it is put at `path`.

    Beside it, so that it need only be renamed; for object storage among the temporary
    files, from where it is uploaded.
    """
    if is_object(path):
        return tempfile.gettempdir()
    return os.path.dirname(path) or "."


def require_writable(folder: str) -> None:
    """Raises an OSError if no file can be made in a folder."""
    if not is_object(folder):
        with tempfile.TemporaryFile(dir=folder):
            return
    probe = os.path.join(folder, ".writable")
    with tempfile.NamedTemporaryFile() as empty:
        upload(empty.name, probe)
    remove(probe)


def upload(local_path: str, path: str) -> None:
    """Puts a file of this machine where `path` says, in the place of an earlier one.

    The object appears when all of it has arrived; until then, and after a failure, the
    earlier one stays.
    """
    with os_errors(path):
        file_systems(path).copy(local_path, path, overwrite=True)


def upload_folder(local_folder: str, folder: str) -> None:
    """Puts all files of a folder below `folder`, those of folders within it first."""
    for root, _, names in os.walk(local_folder, topdown=False):
        inside = os.path.relpath(root, local_folder)
        target = folder if inside == "." else os.path.join(folder, inside)
        make_folders(target)
        for name in sorted(names):
            upload(os.path.join(root, name), os.path.join(target, name))


def _state(path: str) -> Any:
    """TensorFlow's statistics of an object or folder; None if there is nothing."""
    try:
        with os_errors(path):
            return file_systems(path).stat(path)
    except FileNotFoundError:
        return None
