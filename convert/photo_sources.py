"""Finds the photos to convert, with their class and, where given, their split.

`folder_layout` says what the folders of a directory mean, `photo_list` what the rows of
a CSV file say.
"""

import dataclasses
import os
import stat
from collections.abc import Iterator

from convert import folder_layout, photo_list
from convert.rejections import Kind, Rejection
from datasets.photo_files import has_photo_suffix, is_ignored
from errors import UserError

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
            self.reject(
                name, Kind.UNREADABLE, f"{reason}{photo_list.explain_absent(name)}"
            )
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


def find_in_folder(
    image_dir: str, *, classes: str | None = None, splits: str | None = None
) -> Found:
    """Finds photos by the folders they lie in.

    Args:
      image_dir: the folder of photos.
      classes: which folders are classes, as `folder_layout.read` takes it.
      splits: which are splits, the same way.

    Returns:
      The files, sorted by name.

    Raises:
      UserError: there is no such directory, or its layout is not plain.
    """
    if not os.path.isdir(image_dir):
        raise UserError(
            f"--image_dir={image_dir} is no directory: name the one that holds a folder"
            " for each class"
        )
    found = Found()
    layout = folder_layout.read(image_dir, classes=classes, splits=splits)
    for folder in layout.above:
        _reject_files(image_dir, folder, found)
    for entry in layout.classes:
        found.classes.add(entry.class_name)
        names = (
            _walk(image_dir, entry.path, found, set())
            if entry.deep
            else _files(image_dir, entry.path, found)
        )
        for name in names:
            path = os.path.join(image_dir, name)
            found.add(path, name, entry.class_name, entry.split)
    return found


def _reject_files(image_dir: str, folder: str, found: Found) -> None:
    """Counts the files of a folder that should hold none."""
    for name in _files(image_dir, folder, found):
        found.reject(name, Kind.MISPLACED, "lies beside the class folders")


def _files(image_dir: str, folder: str, found: Found) -> Iterator[str]:
    """The files in a folder, not deeper."""
    for entry in sorted(os.listdir(os.path.join(image_dir, folder))):
        name = os.path.join(folder, entry)
        if is_ignored(entry):
            found.num_ignored += 1
        elif not os.path.isdir(os.path.join(image_dir, name)):
            yield name


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


def find_in_csv(
    csv_file: str,
    image_dir: str | None,
    *,
    split_column: str | None = None,
    divided: bool = True,
    any_label: bool = False,
) -> Found:
    """Finds photos by the rows of a CSV file.

    Args:
      csv_file: what `photo_list.read` reads.
      image_dir: where relative paths begin; None: at the CSV file's directory.
      split_column: see `photo_list.read`.
      divided: the same.
      any_label: whether labels such as nan are those of a class.

    Returns:
      The files, sorted by name.

    Raises:
      UserError: the file is no list of photos, or a row is not plain.
    """
    start = image_dir or os.path.dirname(csv_file)
    found = Found()
    rows = photo_list.read(csv_file, split_column=split_column, divided=divided)
    if not any_label:
        photo_list.check_labels(csv_file, rows)
    for row in rows:
        found.classes.add(row.label)
        path = photo_list.local_path(row.path, start)
        found.add(path, row.path, row.label, row.split)
    found.sources.sort(key=lambda source: (source.name, source.class_name))
    return found
