"""Finds the photos to convert, with their class and, where given, their split.

A folder holds either one folder a class, or `train/`, `validation/`, `test/` with the
class folders inside. A CSV file has the columns path, label and, if wanted, split.
"""

import csv
import dataclasses
import os
import stat
from collections.abc import Iterator

from config.untrusted_text import csv_text
from convert.rejections import Kind, Rejection
from datasets.photo_files import has_photo_suffix, is_ignored
from errors import UserError

SPLITS = ("train", "validation", "test")
_SPLIT_OF_NAME = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
    "testing": "test",
}
# Larger than any file of MAX_PIXELS that people keep photos in.
MAX_FILE_BYTES = 512 << 20


@dataclasses.dataclass(frozen=True)
class Source:
    """One file to convert.

    Attributes:
      path: where it is.
      name: how it is called in lists: relative to the image directory, or as in the
        CSV file.
      class_name: its label.
      split: "train", "validation" or "test" where folder or CSV file say so.
      num_bytes: its size.
    """

    path: str
    name: str
    class_name: str
    split: str | None
    num_bytes: int


@dataclasses.dataclass
class Found:
    """What a search found; lists are in an order that the file system cannot change.

    Attributes:
      sources: files to convert.
      rejections: files that need no second look.
      num_ignored: hidden files and those that operating systems leave behind.
      classes: the names of all class folders or labels, empty ones included.
    """

    sources: list[Source] = dataclasses.field(default_factory=list)
    rejections: list[Rejection] = dataclasses.field(default_factory=list)
    num_ignored: int = 0
    classes: set[str] = dataclasses.field(default_factory=set)

    def add(self, path: str, name: str, class_name: str, split: str | None) -> None:
        """Adds a file, to `sources` unless a glance shows that it is no photo."""
        fault = None
        try:
            status = os.stat(path)
        except (OSError, ValueError) as error:  # ValueError: NUL in a CSV file's path
            strerror = getattr(error, "strerror", error)
            reason = "a dangling link" if os.path.islink(path) else strerror
            self.reject(name, Kind.UNREADABLE, str(reason))
            return
        if stat.S_ISDIR(status.st_mode):
            fault = Kind.UNREADABLE, "a folder with the name of a photo"
        elif not stat.S_ISREG(status.st_mode):
            fault = Kind.UNREADABLE, "not a regular file"
        elif not status.st_size:
            fault = Kind.EMPTY, "the file has no bytes"
        elif status.st_size > MAX_FILE_BYTES:
            limit = f"the limit is {MAX_FILE_BYTES >> 20} MiB"
            fault = Kind.TOO_LARGE, f"a file of {status.st_size >> 20} MiB; {limit}"
        if fault:
            self.reject(name, *fault)
        else:
            source = Source(path, name, class_name, split, status.st_size)
            self.sources.append(source)

    def reject(self, name: str, kind: Kind, reason: str) -> None:
        """Adds a file to `rejections`."""
        self.rejections.append(Rejection(name, kind, reason))


def find_in_folder(image_dir: str) -> Found:
    """Finds photos by the folders they lie in.

    Args:
      image_dir: class folders, or split folders with class folders inside. Folders
        within a class folder belong to it.

    Returns:
      The files, sorted by name.

    Raises:
      UserError: there is no such directory, or its layout is neither of the two.
    """
    if not os.path.isdir(image_dir):
        raise UserError(
            f"--image_dir={image_dir} is no directory: name the one that holds a folder"
            " for each class"
        )
    found = Found()
    folders = _folders(image_dir, "", found)
    if _are_splits(image_dir, folders):
        for folder in folders:
            split = _SPLIT_OF_NAME[folder.lower()]
            for class_name in _folders(image_dir, folder, found):
                where = os.path.join(folder, class_name)
                _add_class(image_dir, where, class_name, split, found)
    else:
        for folder in folders:
            _add_class(image_dir, folder, folder, None, found)
    return found


def _are_splits(image_dir: str, folders: list[str]) -> bool:
    """Whether the folders are splits: all so called, one at least holding folders."""
    named = [folder for folder in folders if folder.lower() in _SPLIT_OF_NAME]
    nested = [name for name in named if _folders(image_dir, name, Found())]
    others = sorted(set(folders) - set(named))
    train = [name for name in nested if _SPLIT_OF_NAME[name.lower()] == "train"]
    if train and others:
        raise UserError(
            f"{image_dir} has {train[0]!r} with folders inside and {others[0]!r} beside"
            f" it: keep only the splits ({', '.join(SPLITS)}) or only class folders"
        )
    return bool(nested) and not others


def _folders(image_dir: str, inside: str, found: Found) -> list[str]:
    """The folders in a folder that should hold nothing else, sorted."""
    folders = []
    for entry in sorted(os.listdir(os.path.join(image_dir, inside))):
        name = os.path.join(inside, entry)
        if is_ignored(entry):
            found.num_ignored += 1
        elif os.path.isdir(os.path.join(image_dir, name)):
            folders.append(entry)
        else:
            found.reject(name, Kind.MISPLACED, "lies beside the class folders")
    return folders


def _add_class(
    image_dir: str, folder: str, class_name: str, split: str | None, found: Found
) -> None:
    """Adds all files of a class folder, at any depth; links are followed once."""
    found.classes.add(class_name)
    for name in _walk(image_dir, folder, found, set()):
        found.add(os.path.join(image_dir, name), name, class_name, split)


def _walk(
    image_dir: str, folder: str, found: Found, seen: set[tuple[int, int]]
) -> Iterator[str]:
    path = os.path.join(image_dir, folder)
    try:
        status = os.stat(path)
        entries = sorted(os.listdir(path))
    except OSError as error:
        found.reject(folder, Kind.UNREADABLE, str(error.strerror))
        return
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    for entry in entries:
        name = os.path.join(folder, entry)
        is_folder = os.path.isdir(os.path.join(image_dir, name))
        if is_ignored(entry):
            found.num_ignored += 1
        elif is_folder and not has_photo_suffix(entry):
            yield from _walk(image_dir, name, found, seen)
        else:
            yield name


def find_in_csv(csv_file: str, image_dir: str | None) -> Found:
    """Finds photos by the rows of a CSV file.

    Args:
      csv_file: UTF-8 with a header row; columns path, label and, optionally, split,
        where an empty cell leaves the split open. Other columns are not looked at.
      image_dir: where relative paths begin; None: at the CSV file's directory.

    Returns:
      The files, sorted by name.

    Raises:
      UserError: the file or a column is absent, or a row has no path, no label or an
        unknown split.
    """
    start = image_dir or os.path.dirname(csv_file)
    found = Found()
    try:
        with open(csv_file, encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, skipinitialspace=True)
            absent = {"path", "label"} - set(rows.fieldnames or [])
            if absent:
                raise UserError(
                    f"{csv_file} has no column {' and no '.join(sorted(absent))}: its"
                    " first line must name the columns path, label and, if wanted,"
                    f" split; it names {', '.join(rows.fieldnames or ['nothing'])}"
                )
            for row in rows:
                where = f"{csv_file} line {rows.line_num}"
                name, label = _cell(row, "path", where), _cell(row, "label", where)
                split = _split_of(row.get("split") or "", where)
                found.classes.add(label)
                found.add(os.path.join(start, name), name, label, split)
    except OSError as error:
        raise UserError(
            f"--csv_file={csv_file} cannot be read: {error.strerror}"
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"--csv_file={csv_file} is no UTF-8 text with commas ({error}): save it as"
            " CSV in UTF-8"
        ) from error
    found.sources.sort(key=lambda source: (source.name, source.class_name))
    return found


def _cell(row: dict[str, str | None], column: str, where: str) -> str:
    value = csv_text(row[column] or "")
    if not value:
        raise UserError(f"{where} has no {column}: fill it in or remove the line")
    return value


def _split_of(text: str, where: str) -> str | None:
    name = text.strip().lower()
    if name and name not in _SPLIT_OF_NAME:
        raise UserError(
            f"{where} has the split {text!r}: use {', '.join(SPLITS)} or leave it empty"
        )
    return _SPLIT_OF_NAME.get(name)
