"""Which files are photos, by their names."""

import glob
import os

_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("jpg", "jpeg", "jpe", "jfif", "png", "gif", "bmp", "dib", "webp"),
        *("tif", "tiff", "heic", "heif", "avif", "jp2"),
    )
)
_SYSTEM_NAMES = frozenset(["thumbs.db", "desktop.ini", "__macosx", "@eadir"])


def has_photo_suffix(name: str) -> bool:
    """Whether a file name ends like a photo's."""
    return os.path.splitext(name)[1].lower() in _SUFFIXES


def is_ignored(name: str) -> bool:
    """Whether a file is hidden, or one that operating systems leave behind."""
    return name.startswith(".") or name.lower() in _SYSTEM_NAMES


def find(where: str) -> list[str]:
    """The photos that a user means by a path.

    Args:
      where: a file, which is taken whatever its name and whether or not it is there; a
        folder, with all below it; or a pattern as in `trip/*.jpg`, `**` being any
        folders.

    Returns:
      Paths, sorted; none where a folder or pattern has no photo.
    """
    where = os.path.expanduser(where)
    if os.path.isdir(where):
        return _below(where)
    if os.path.exists(where) or not glob.has_magic(where):
        return [where]
    found = glob.glob(where, recursive=True)
    return sorted(name for name in found if os.path.isfile(name) and _is_photo(name))


def _below(folder: str) -> list[str]:
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not is_ignored(name)]
        found += [os.path.join(parent, name) for name in names if _is_photo(name)]
    return sorted(found)


def _is_photo(path: str) -> bool:
    name = os.path.basename(path)
    return has_photo_suffix(name) and not is_ignored(name)
