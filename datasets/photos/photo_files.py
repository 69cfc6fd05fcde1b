"""Finds the photos a user means, for conversion, prediction and export."""

import dataclasses
import glob
import os
import re

from datasets.photos.unfit_photos import (
    EmptyPhotoError,
    NotAPhotoError,
    TooLargeFileError,
    UnfitPhotoError,
)

_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("jpg", "jpeg", "jpe", "jfif", "png", "gif", "bmp", "dib", "webp"),
        *("tif", "tiff", "heic", "heif", "avif", "jp2"),
    )
)
_SYSTEM_NAMES = frozenset(["thumbs.db", "desktop.ini", "__macosx", "@eadir"])
# Deeper folders are a mistake, and a walk must end.
MAX_DEPTH = 100
TOO_DEEP = f"more than {MAX_DEPTH} nested folders"
_ANY_DEPTH = re.compile(r"(?:^|(?<=/))\*\*(?:/|$)")


@dataclasses.dataclass
class Found:
    """The result of a search.

    Attributes:
      paths: files that may be photos, whatever their names; sorted folder by folder.
      num_ignored: number of hidden files and folders, and of those that operating
        systems leave behind.
      num_folders: number of folders that a pattern matches, which are not entered.
      unreadable: folders that cannot be listed, with the reason.
      is_named: whether the path names a file, which the user considers a photo.
    """

    paths: list[str] = dataclasses.field(default_factory=list)
    num_ignored: int = 0
    num_folders: int = 0
    unreadable: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    is_named: bool = False


def promises_photo(name: str) -> bool:
    """Whether a file ought to be a photo: by its suffix, or because it has none.

    Only then is it an error if it is not one; a text file notes.txt is just skipped.
    """
    return has_photo_suffix(name) or not os.path.splitext(name)[1]


def is_no_photo(name: str, error: UnfitPhotoError) -> bool:
    """Whether an unusable file is not a photo and need not be one.

    Args:
      name: name of the file.
      error: what is wrong with it; empty and gigantic files are not opened.
    """
    no_picture = (NotAPhotoError, EmptyPhotoError, TooLargeFileError)
    return isinstance(error, no_picture) and not promises_photo(name)


def has_photo_suffix(name: str) -> bool:
    """Whether a file name ends like that of a photo."""
    return os.path.splitext(name)[1].lower() in _SUFFIXES


def is_ignored(name: str) -> bool:
    """Whether a file is hidden, or one that operating systems leave behind."""
    return name.startswith(".") or name.lower() in _SYSTEM_NAMES


def find(where: str) -> Found:
    """Finds the files that a user means by a path.

    Args:
      where: a file, which is used whatever its name and whether or not it exists; a
        folder, with everything below it; or a pattern such as `trip/*.jpg`, in which
        `**` is any number of folders.
    """
    where = os.path.expanduser(where)
    if os.path.isdir(where):
        found = below(where)
        found.paths = [os.path.join(where, name) for name in found.paths]
        found.unreadable = [
            (os.path.join(where, name), reason) for name, reason in found.unreadable
        ]
        return found
    if os.path.exists(where) or not glob.has_magic(where):
        return Found([where], is_named=True)
    found = Found()
    for path in sorted(set(_matches(where))):
        if is_ignored(os.path.basename(path)):
            found.num_ignored += 1
        elif not os.path.isdir(path):
            found.paths.append(path)
        elif not _ANY_DEPTH.search(where):
            found.num_folders += 1
    return found


def below(folder: str) -> Found:
    """Finds all files below a folder; linked folders are entered once.

    Args:
      folder: the folder.

    Returns:
      Paths relative to it, including folders named like a photo, which are not
      entered.
    """
    found = Found()
    _walk(folder, "", 0, found, set())
    return found


def _walk(
    root: str, inside: str, depth: int, found: Found, seen: set[tuple[int, int]]
) -> None:
    if depth > MAX_DEPTH:
        found.unreadable.append((inside, TOO_DEEP))
        return
    path = os.path.join(root, inside)
    try:
        status = os.stat(path)
        if (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        entries = sorted(os.listdir(path))
    except OSError as error:
        found.unreadable.append((inside, str(error.strerror)))
        return
    for entry in entries:
        name = os.path.join(inside, entry)
        if is_ignored(entry):
            found.num_ignored += 1
        elif not has_photo_suffix(entry) and os.path.isdir(os.path.join(root, name)):
            _walk(root, name, depth + 1, found, seen)
        else:
            found.paths.append(name)


def _matches(pattern: str) -> list[str]:
    """The matches of a pattern; unlike in glob, `**` enters each folder once."""
    star = _ANY_DEPTH.search(pattern)
    if not star:
        return glob.glob(pattern)
    start, rest = pattern[: star.start()], pattern[star.end() :]
    folders: list[str] = []
    for root in glob.glob(start) if start else [""]:
        folders += [os.path.join(root, name) for name in _folders(root or ".")]
    return [
        path
        for folder in folders
        for path in _matches(os.path.join(glob.escape(folder), rest or "*"))
    ]


def _folders(root: str) -> list[str]:
    """A folder and all below it, relative to it, each once."""
    folders: list[str] = []
    seen: set[tuple[int, int]] = set()
    waiting = [""] if os.path.isdir(root) else []
    while waiting:
        inside = waiting.pop()
        path = os.path.join(root, inside)
        status = os.stat(path)
        if (status.st_dev, status.st_ino) in seen or not os.access(path, os.R_OK):
            continue
        seen.add((status.st_dev, status.st_ino))
        folders.append(inside)
        names = [os.path.join(inside, n) for n in os.listdir(path) if not is_ignored(n)]
        waiting += [n for n in names if os.path.isdir(os.path.join(root, n))]
    return folders
