"""Finds the photos to convert, with their class and, where given, their split.

`folder_layout` says what the folders of a directory mean, `photo_list` what the rows of
a CSV file say.
"""

import dataclasses
import os
from collections.abc import Iterator, Sequence

from absl import logging

from common.untrusted_text import printable
from convert.photos import folder_layout, photo_list
from convert.tfrecords.rejections import Kind, Rejection
from convert.tfrecords.source_photo import Source
from datasets.photos import photo_bytes, photo_files
from datasets.photos.photo_files import is_ignored
from datasets.photos.unfit_photos import UnfitPhotoError
from errors import UserError


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
        try:
            num_bytes = photo_bytes.look(path)
        except UnfitPhotoError as error:
            is_none = photo_files.is_no_photo(name, error)
            kind = Kind.NOT_A_PHOTO if is_none else Kind.of(error)
            is_absent = kind == Kind.UNREADABLE and not os.path.lexists(path)
            remedy = photo_list.explain_absent(name) if is_absent else ""
            self.reject(name, kind, f"{error}{remedy}")
        else:
            source = Source(path, name, class_name, split, num_bytes)
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
            _walk(image_dir, entry.path, found)
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


def _walk(image_dir: str, folder: str, found: Found) -> Iterator[str]:
    """The files below a folder, as prediction finds them."""
    below = photo_files.below(os.path.join(image_dir, folder))
    found.num_ignored += below.num_ignored
    for inside, reason in below.unreadable:
        name = os.path.join(folder, inside).rstrip("/")
        found.reject(name, Kind.UNREADABLE, reason)
    for path in below.paths:
        yield os.path.join(folder, path)


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
    _warn_of_repeats(csv_file, rows)
    for row in rows:
        found.classes.add(row.label)
        path = photo_list.local_path(row.path, start)
        found.add(path, row.path, row.label, row.split)
    found.sources.sort(key=lambda source: (source.name, source.class_name))
    return found


def _warn_of_repeats(csv_file: str, rows: Sequence[photo_list.Row]) -> None:
    """Says which lines repeat an earlier one: oversampling, or a mistake."""
    first: dict[tuple[str, str, str | None], int] = {}
    repeats = []
    for row in rows:
        key = os.path.normpath(row.path), row.label, row.split
        if first.setdefault(key, row.line) != row.line:
            repeats.append((printable(row.path), row.line, first[key]))
    if repeats:
        logging.warning(
            "%s lists photos again in %d lines, such as %s in line %d as in line %d:"
            " each line is stored, and counts",
            *(csv_file, len(repeats), *repeats[0]),
        )
