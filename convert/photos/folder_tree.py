"""The tree of folders of a folder of photos, as needed for its layout."""

import dataclasses
import functools
import os
from collections.abc import Mapping

from datasets.photos.photo_files import MAX_DEPTH, has_photo_suffix, is_ignored

_NO_PHOTOS = frozenset(
    f".{suffix}"
    for suffix in (
        *("csv", "html", "json", "log", "md", "pdf", "rst", "rtf", "tsv", "txt"),
        *("xls", "xlsx", "xml", "yaml", "yml", "ipynb", "py", "r", "sh", "toml"),
        *("ckpt", "h5", "keras", "mat", "npy", "npz", "onnx", "parquet", "pb", "pkl"),
        *("pt", "pth", "safetensors", "tfrecord", "gz", "rar", "tar", "zip"),
    )
)


@dataclasses.dataclass(frozen=True, eq=False)
class Folder:
    """A folder.

    Attributes:
      has_photos: whether a file directly in it may be a photo.
      folders: its subfolders by name, sorted, without hidden ones.
    """

    has_photos: bool
    folders: Mapping[str, "Folder"]

    @functools.cached_property
    def is_used(self) -> bool:
        """Whether it may hold a photo, at any depth."""
        return self.has_photos or any(f.is_used for f in self.folders.values())

    @functools.cached_property
    def used(self) -> dict[str, "Folder"]:
        """The subfolders that are used; of several links to a folder, the first."""
        names: dict[Folder, str] = {}
        for name, folder in self.folders.items():
            if folder.is_used:
                names.setdefault(folder, name)
        return {name: folder for folder, name in names.items()}


def survey(image_dir: str) -> Folder:
    """Reads the tree of a folder; links are followed, except those that lead back.

    A folder that cannot be listed, or is too deep, counts as one with photos, so that
    reading these reports it.
    """
    return _survey(image_dir, 0, {})


def _survey(where: str, depth: int, known: dict[tuple[int, int], Folder]) -> Folder:
    if depth > MAX_DEPTH:
        return Folder(True, {})
    try:
        status = os.stat(where)
        place = status.st_dev, status.st_ino
        if place in known:
            return known[place]
        known[place] = Folder(False, {})  # so that a link back to it finds nothing
        with os.scandir(where) as entries:
            listed = sorted(
                (entry.name, entry.is_dir())
                for entry in entries
                if not is_ignored(entry.name)
            )
    except OSError:
        return Folder(True, {})
    known[place] = Folder(
        any(not is_folder and _may_be_photo(name) for name, is_folder in listed),
        {
            name: _survey(os.path.join(where, name), depth + 1, known)
            for name, is_folder in listed
            # In a class, a folder named like a photo counts as a broken photo.
            if is_folder and not (depth and has_photo_suffix(name))
        },
    )
    return known[place]


def _may_be_photo(name: str) -> bool:
    return os.path.splitext(name)[1].lower() not in _NO_PHOTOS
