"""A folder of photos with the folders below it, as far as its layout goes."""

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
      has_photos: whether a file that may be a photo lies in it, not deeper.
      folders: those that lie in it by name, sorted; hidden ones are left out.
    """

    has_photos: bool
    folders: Mapping[str, "Folder"]

    @functools.cached_property
    def is_used(self) -> bool:
        """Whether a photo may lie in it, however deep."""
        return self.has_photos or any(f.is_used for f in self.folders.values())

    @functools.cached_property
    def used(self) -> dict[str, "Folder"]:
        """The folders in it that are used; of links to one folder the first."""
        names: dict[Folder, str] = {}
        for name, folder in self.folders.items():
            if folder.is_used:
                names.setdefault(folder, name)
        return {name: folder for folder, name in names.items()}


def survey(image_dir: str) -> Folder:
    """Looks through a folder; links are followed, unless they lead back.

    A folder that cannot be listed, or lies too deep, counts as one with photos: who
    reads those says so.
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
        known[place] = Folder(False, {})  # so that a link back finds nothing
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
            # Within a class, a folder called like a photo is taken for a broken one.
            if is_folder and not (depth and has_photo_suffix(name))
        },
    )
    return known[place]


def _may_be_photo(name: str) -> bool:
    return os.path.splitext(name)[1].lower() not in _NO_PHOTOS
