"""Folders within one, such as /tmp, in which every user may create files."""

import contextlib
import errno
import os
import stat

from absl import logging

from common import storage
from errors import UserError

DEFAULT = "/tmp/tfmodel/"  # slim's, of --train_dir, --checkpoint_path and --eval_dir
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OF_EVERYONE = stat.S_ISVTX | stat.S_IWOTH


def require_own(path: str, *, flag: str) -> None:
    """Refuses a folder that another user may have put there, or may write to.

    What is written to such a folder could be led elsewhere by a link, and what is read
    from it could be anybody's. Folders elsewhere are not checked. For slim's
    default there is a warning.

    Args:
      path: a folder or a file, which need not exist yet.
      flag: the flag that names it, for messages.

    Raises:
      UserError: it is, or lies in, a folder directly below a shared one that is a link,
        belongs to another user or can be written to by others.
    """
    if path == DEFAULT:
        logging.warning(
            "--%s=%s, slim's default, is a folder that any user of this machine can"
            " create: use a folder of your own",
            *(flag, path),
        )
    if storage.is_object(path):
        return
    place = os.path.abspath(os.path.expanduser(path))
    while (parent := os.path.dirname(place)) != place:
        if _is_of_everyone(parent) and (fault := _fault(place)):
            raise UserError(
                f"--{flag}={path}: {place} {fault}, in {parent}, where every user can"
                " create files: use a folder of your own"
            )
        place = parent


def make(path: str) -> None:
    """Creates a folder and its parents; directly in a shared one, it is private.

    Raises:
      OSError: it cannot be created.
    """
    if storage.is_object(path):
        storage.make_folders(path)
        return
    parent = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(parent):
        make(parent)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700 if _is_of_everyone(parent) else 0o777)
    if not os.path.isdir(path):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)


def _is_of_everyone(folder: str) -> bool:
    try:
        return os.stat(folder).st_mode & _OF_EVERYONE == _OF_EVERYONE
    except OSError:
        return False


def _fault(place: str) -> str | None:
    """What is wrong with a file or folder; None if it is the user's own, or absent."""
    try:
        state = os.lstat(place)
    except OSError:
        return None
    if state.st_uid != os.geteuid():
        return "belongs to another user"
    if stat.S_ISLNK(state.st_mode):
        return "is a link"
    if stat.S_ISDIR(state.st_mode) and state.st_mode & _OTHERS_WRITE:
        return "can be written to by others (chmod go-w fixes that)"
    return None
