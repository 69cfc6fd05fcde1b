"""Which folders of a folder of photos are classes, and which are splits.

Most layouts have one reading: one folder per class; `train/`, `validation/`, `test/`
with the class folders inside; or the same folders inside each class. If there are two,
nothing is guessed: the error names both, and the flag that decides.
"""

import collections
import dataclasses
import os
from collections.abc import Mapping, Sequence

from absl import logging

from common.untrusted_text import first_few
from convert.photos import folder_tree, split_names
from convert.photos.folder_tree import Folder
from errors import UserError

PLACES_OF_CLASSES = ("top", "nested")
PLACES_OF_SPLITS = ("none", "top", "inside")
_MAX_NAMED = 3


@dataclasses.dataclass(frozen=True)
class ClassFolder:
    """A folder that holds photos of one class.

    Attributes:
      path: its path in the image folder.
      class_name: its class.
      split: "train", "validation" or "test", or None if no folder gives it.
      deep: whether the content of its subfolders belongs to the class, too.
    """

    path: str
    class_name: str
    split: str | None
    deep: bool = True


@dataclasses.dataclass(frozen=True)
class Layout:
    """The meaning of the folders.

    Attributes:
      classes: the class folders, including empty ones, sorted by path.
      above: the folders above them, which should hold no files.
    """

    classes: Sequence[ClassFolder]
    above: Sequence[str]


def read(
    image_dir: str, *, classes: str | None = None, splits: str | None = None
) -> Layout:
    """Reads the layout of a folder.

    Args:
      image_dir: the folder.
      classes: "top": everything in a class folder is of its class; "nested": each
        folder that holds photos is a class, named by its path; None: decide by the
        layout.
      splits: where the folders of splits are: "none" (no folder is one), "top" (above
        the class folders), "inside" (in each class folder); None: decide by the layout.

    Raises:
      UserError: the layout has two readings, or contradicts the arguments.
    """
    return _Reader(image_dir, classes, splits).read()


class _Reader:
    """Reads a single layout."""

    def __init__(self, image_dir: str, classes: str | None, splits: str | None):
        self._image_dir = image_dir
        self._classes = classes
        self._splits = splits
        self._found: list[ClassFolder] = []
        self._above = [""]

    def read(self) -> Layout:
        """Reads the layout; see the function `read`."""
        root, where = folder_tree.survey(self._image_dir), ""
        if self._classes is None:
            root, where = self._lone_folder(root, where)
            if where:
                logging.info("All photos are in %s: reading its folders", where)
        self._where = os.path.join(self._image_dir, where).rstrip(os.sep)
        place = self._splits or self._place_of_splits(root)
        if place == "top":
            self._check_top_splits(root)
            self._add_splits(root, where)
        elif place == "inside":
            self._check_inner_splits(root)
            self._add_divided_classes(root, where)
        else:
            self._add_classes(root, where, None)
        return Layout(self._found, self._above)

    def _lone_folder(self, folder: Folder, path: str) -> tuple[Folder, str]:
        """Descends while a folder holds only a folder that itself holds only folders.

        Some archives unpack like that, as in `training_set/training_set/cats`.
        """
        while _holds_one_of_folders(folder):
            ((name, inner),) = folder.used.items()
            if not path and split_names.is_split_word(name):
                break
            folder, path = inner, os.path.join(path, name)
            self._above.append(path)
        return folder, path

    def _place_of_splits(self, root: Folder) -> str:
        """Where the folders of splits are.

        Raises:
          UserError: folders are named like splits, but may be classes.
        """
        like = [name for name in root.used if split_names.has_split_word(name)]
        plain = split_names.splits_of(like)
        if like == list(root.used) and all(plain.values()):
            return "top" if like else "none"
        words = [name for name in like if split_names.is_split_word(name)]
        for name in like:
            # Next to other vehicles it is one: training photos are in class folders.
            is_vehicle = words == [name] and name.lower() == "train"
            if root.used[name].used or (name in words and not is_vehicle):
                raise self._unclear_split(root, name, plain)
        divided = any(_inner_splits(folder) for folder in root.used.values())
        return "inside" if divided else "none"

    def _unclear_split(
        self, root: Folder, name: str, plain: Mapping[str, str | None]
    ) -> UserError:
        """The error for a folder named like a split that may be a class."""
        others = [other for other in root.used if not plain.get(other)]
        beside = next((repr(other) for other in others if other != name), "")
        inside = "with folders inside" if root.used[name].used else "with photos inside"
        return UserError(
            f"{self._where} has {name!r} {inside}"
            f"{f' and {beside} next to it' if beside else ''}: if it is a split, keep"
            f" only folders named {', '.join(split_names.SPLITS)} there, with the class"
            " folders inside; if it is a class, give --splits=none"
        )

    def _check_top_splits(self, root: Folder) -> None:
        """Raises a UserError unless all folders are splits of class folders."""
        plain = split_names.splits_of(root.used)
        if strangers := [name for name in root.used if not plain[name]]:
            raise UserError(
                f"{self._where} has {_some(strangers)}, not clearly named like a split:"
                f" use {', '.join(split_names.SPLITS)}, and move other folders"
                " elsewhere"
            )
        flat = [name for name, folder in root.used.items() if _is_flat(folder)]
        if not flat:
            return
        whole = [name for name in root.used if name not in flat]
        rest = "if these are classes, give --splits=none"
        if len(whole) == 1:
            alone = os.path.join(self._where, whole[0])
            rest = f"to omit them, give --image_dir={alone}"
        elif whole:
            rest = "to omit them, move them elsewhere"
        raise UserError(
            f"{self._where}: {_some(flat)} hold{'' if flat[1:] else 's'} photos, but no"
            " class folders: if these are splits, sort the photos into class folders"
            f" inside, as in {flat[0]}/daisy; {rest}"
        )

    def _check_inner_splits(self, root: Folder) -> None:
        """Raises a UserError unless class folders hold only folders of splits."""
        divided = [name for name in root.used if _inner_splits(root.used[name])]
        for name, folder in root.used.items():
            inner = _inner_splits(folder)
            if not folder.has_photos and len(inner) == len(folder.used):
                continue
            example = divided[0] if divided else name
            splits = _some(_inner_splits(root.used[example])) or "no split's folder"
            others = [other for other in folder.used if other not in inner]
            there = "" if name == example else f" {os.path.join(self._where, name)} has"
            raise UserError(
                f"{os.path.join(self._where, example)} has {splits}, and{there}"
                f" {_some(others) or 'photos'}: if these are splits, put all photos of"
                " each class into its folders train, validation or test; if not, give"
                " --splits=none"
            )

    def _add_splits(self, root: Folder, where: str) -> None:
        wrapped = all(_holds_one_of_folders(folder) for folder in root.used.values())
        for name, split in split_names.splits_of(root.used).items():
            path = os.path.join(where, name)
            self._above.append(path)
            folder = root.used[name]
            inner = next(iter(folder.used))
            if self._classes is None and (wrapped or split_names.has_split_word(inner)):
                folder, path = self._lone_folder(folder, path)
            self._add_classes(folder, path, split)
        if self._splits is None:
            self._check_lone_classes()

    def _check_lone_classes(self) -> None:
        """Raises a UserError for a split's only class if no larger split has it.

        Its folder more likely holds photos without classes, as in val/images.
        """
        names: dict[str | None, set[str]] = collections.defaultdict(set)
        for entry in self._found:
            names[entry.split].add(entry.class_name)
        known = set().union(*(group for group in names.values() if len(group) > 1))
        for entry in self._found:
            if known and names[entry.split] == {entry.class_name} - known:
                split, inner = os.path.split(entry.path)
                raise UserError(
                    f"{os.path.join(self._image_dir, split)} holds only {inner!r}, not"
                    " a class of the other splits: if it is a class, give --splits=top;"
                    " if its photos have no classes, sort them into class folders, or"
                    f" move {os.path.basename(split)!r} elsewhere"
                )

    def _add_divided_classes(self, root: Folder, where: str) -> None:
        for name, folder in root.used.items():
            path = os.path.join(where, name)
            self._above.append(path)
            for inner, split in split_names.splits_of(folder.used).items():
                part, place = folder.used[inner], os.path.join(path, inner)
                if part.used and self._classes is None:
                    raise self._unclear_class(part, place, name, name)
                self._add(part, place, name, split)

    def _add_classes(self, parent: Folder, where: str, split: str | None) -> None:
        for name, folder in parent.folders.items():
            self._add(folder, os.path.join(where, name), name, split)

    def _add(self, folder: Folder, path: str, name: str, split: str | None) -> None:
        """Adds a class folder or, with "nested", every folder in it with photos."""
        if self._classes != "nested":
            if self._classes is None:
                self._check_one_class(folder, path, name)
            self._found.append(ClassFolder(path, name, split))
            return
        if self._splits is None and split_names.is_split_word(os.path.basename(name)):
            raise UserError(
                f"--classes=nested makes {name!r} a class: also give --splits=none if"
                f" {os.path.basename(name)!r} is not a split"
            )
        if folder.has_photos or not folder.is_used:
            self._found.append(ClassFolder(path, name, split, deep=False))
        for inner, below in folder.used.items():
            self._add(below, os.path.join(path, inner), f"{name}/{inner}", split)

    def _check_one_class(self, folder: Folder, path: str, name: str) -> None:
        """Raises a UserError for a class folder whose subfolders may be the classes."""
        place, nested = path, name
        while len(folder.used) == 1:
            ((inner, folder),) = folder.used.items()
            place, nested = os.path.join(place, inner), f"{nested}/{inner}"
        if folder.used:
            raise self._unclear_class(folder, place, name, nested)

    def _unclear_class(
        self, folder: Folder, path: str, name: str, nested: str
    ) -> UserError:
        return UserError(
            f"{os.path.join(self._image_dir, path)} holds folders of photos,"
            f" {_some(list(folder.used))}: give --classes=top if all are of the class"
            f" {name!r}, or --classes=nested if each is a class, as in"
            f" {f'{nested}/{next(iter(folder.used))}'!r}"
        )


def _holds_one_of_folders(folder: Folder) -> bool:
    """Whether it holds only one folder, which itself holds only folders."""
    inner = list(folder.used.values())
    return not folder.has_photos and len(inner) == 1 and not inner[0].has_photos


def _inner_splits(folder: Folder) -> list[str]:
    return [name for name, split in split_names.splits_of(folder.used).items() if split]


def _is_flat(split: Folder) -> bool:
    """Whether a split holds photos without class folders."""
    while not split.has_photos and len(split.used) == 1:
        ((name, inner),) = split.used.items()
        if not split_names.is_split_word(name):
            return False
        split = inner
    return not split.used


def _some(names: Sequence[str]) -> str:
    if 1 < len(names) <= _MAX_NAMED:
        return f"{first_few(list(map(repr, names[:-1])))} and {names[-1]!r}"
    return first_few(list(map(repr, names)), _MAX_NAMED)
