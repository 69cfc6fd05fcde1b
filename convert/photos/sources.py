"""Finds the photos to convert, with their classes and, if given, their splits.

`folder_layout` interprets the folders, `csv_list` the rows of a CSV file.
"""

import dataclasses
import os
from collections.abc import Iterator, Sequence

from absl import logging

from common.untrusted_text import printable
from convert.photos import class_names, csv_list, folder_layout
from convert.photos.settings import Settings
from convert.photos.splits import Fractions
from convert.tfrecords.rejections import Kind, Rejection
from convert.tfrecords.source_photo import Source
from datasets.photos import photo_bytes, photo_files
from datasets.photos.photo_files import is_ignored
from datasets.photos.unfit_photos import UnfitPhotoError
from errors import UserError

DEFAULT_VALIDATION_FRACTION = 0.2


@dataclasses.dataclass
class Found:
    """The result of a search, in an order independent of the file system.

    Attributes:
      sources: files to convert.
      rejections: files that are clearly not usable.
      num_ignored: number of hidden files and files of the operating system.
      classes: the names of all class folders or labels, including empty ones.
    """

    sources: list[Source] = dataclasses.field(default_factory=list)
    rejections: list[Rejection] = dataclasses.field(default_factory=list)
    num_ignored: int = 0
    classes: set[str] = dataclasses.field(default_factory=set)

    def add(self, path: str, name: str, class_name: str, split: str | None) -> None:
        """Adds a file to `sources`, or to `rejections` if it is clearly not usable."""
        try:
            num_bytes = photo_bytes.look(path)
        except UnfitPhotoError as error:
            is_none = photo_files.is_no_photo(name, error)
            kind = Kind.NOT_A_PHOTO if is_none else Kind.of(error)
            is_absent = kind == Kind.UNREADABLE and not os.path.lexists(path)
            remedy = csv_list.explain_absent(name) if is_absent else ""
            self.reject(name, kind, f"{error}{remedy}")
        else:
            source = Source(path, name, class_name, split, num_bytes)
            self.sources.append(source)

    def reject(self, name: str, kind: Kind, reason: str) -> None:
        """Adds a file to `rejections`."""
        self.rejections.append(Rejection(name, kind, reason))


def find(settings: Settings) -> tuple[Found, Fractions]:
    """Finds the photos, and the fractions for those without a given split.

    Raises:
      UserError: there are no photos, or a fraction is given for a split that exists.
    """
    if settings.csv_file:
        found = find_in_csv(
            settings.csv_file,
            settings.image_dir,
            split_column=settings.csv_split_column,
            divided=settings.splits != "none",
            any_label=settings.class_names is not None,
        )
    else:
        found = find_in_folder(
            settings.source, classes=settings.classes, splits=settings.splits
        )
    if not found.sources:
        raise UserError(_explain_nothing(settings, found))
    if settings.class_names:
        used = {source.class_name for source in found.sources}
        class_names.check_known(used, settings.class_names)
    else:
        class_names.check_distinct(found.classes)
    given = {source.split for source in found.sources if source.split}
    wanted = {
        "validation": settings.validation_fraction,
        "test": settings.test_fraction,
    }
    for split in sorted(given & {split for split, share in wanted.items() if share}):
        raise UserError(
            f"--{split}_fraction={wanted[split]}, but {settings.source} already"
            f" has a split {split}: omit the flag, or the split"
        )
    if given and any(wanted.values()):
        found.sources = [_open_train(source) for source in found.sources]
    if not given and settings.validation_fraction is None:
        rest = 1 - (settings.test_fraction or 0)
        if rest > DEFAULT_VALIDATION_FRACTION:
            wanted["validation"] = DEFAULT_VALIDATION_FRACTION
    return found, Fractions(wanted["validation"] or 0.0, wanted["test"] or 0.0)


def _explain_nothing(settings: Settings, found: Found) -> str:
    if settings.csv_file and found.rejections:
        first = found.rejections[0]
        return (
            f"none of the {len(found.rejections)} photos listed in {settings.csv_file}"
            f" can be used, the first is {first.name!r} ({first.reason}); relative"
            " paths start from --image_dir or, without it, from the CSV file's folder"
        )
    if settings.csv_file:
        return f"{settings.csv_file} lists no photos: add a line for each photo"
    seen = f"only {len(found.rejections)} other files" if found.rejections else "none"
    return (
        f"{settings.image_dir}: expected a folder for each class with the photos"
        f" inside, found {seen}"
    )


def _open_train(source: Source) -> Source:
    """Lets a training photo go into any split."""
    return (
        dataclasses.replace(source, split=None) if source.split == "train" else source
    )


def find_in_folder(
    image_dir: str, *, classes: str | None = None, splits: str | None = None
) -> Found:
    """Finds photos in folders of classes.

    Args:
      image_dir: the folder of photos.
      classes: which folders are classes, as in `folder_layout.read`.
      splits: which folders are splits, as in `folder_layout.read`.

    Returns:
      The files, sorted by name.

    Raises:
      UserError: there is no such folder, or its layout is ambiguous.
    """
    if not os.path.isdir(image_dir):
        raise UserError(
            f"--image_dir={image_dir} is not a folder: give the one that holds a folder"
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
    """Rejects the files in a folder that should hold none."""
    for name in _files(image_dir, folder, found):
        found.reject(name, Kind.MISPLACED, "is next to the class folders")


def _files(image_dir: str, folder: str, found: Found) -> Iterator[str]:
    """The files directly in a folder."""
    for entry in sorted(os.listdir(os.path.join(image_dir, folder))):
        name = os.path.join(folder, entry)
        if is_ignored(entry):
            found.num_ignored += 1
        elif not os.path.isdir(os.path.join(image_dir, name)):
            yield name


def _walk(image_dir: str, folder: str, found: Found) -> Iterator[str]:
    """The files in a folder and its subfolders, as prediction finds them."""
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
      csv_file: see `csv_list.read`.
      image_dir: where relative paths start from; None is the CSV file's folder.
      split_column: see `csv_list.read`.
      divided: see `csv_list.read`.
      any_label: whether labels such as nan are accepted as classes.

    Returns:
      The files, sorted by name.

    Raises:
      UserError: the file is not a list of photos, or a row is ambiguous.
    """
    start = image_dir or os.path.dirname(csv_file)
    found = Found()
    rows = csv_list.read(csv_file, split_column=split_column, divided=divided)
    if not any_label:
        csv_list.check_labels(csv_file, rows)
    _warn_of_repeats(csv_file, rows)
    for row in rows:
        found.classes.add(row.label)
        path = csv_list.local_path(row.path, start)
        found.add(path, row.path, row.label, row.split)
    found.sources.sort(key=lambda source: (source.name, source.class_name))
    return found


def _warn_of_repeats(csv_file: str, rows: Sequence[csv_list.Row]) -> None:
    """Reports lines that repeat an earlier one: oversampling, or a mistake."""
    first: dict[tuple[str, str, str | None], int] = {}
    repeats = []
    for row in rows:
        key = os.path.normpath(row.path), row.label, row.split
        if first.setdefault(key, row.line) != row.line:
            repeats.append((printable(row.path), row.line, first[key]))
    if repeats:
        logging.warning(
            "%s lists photos repeatedly, in %d lines, such as %s in line %d as in line"
            " %d: every line is stored and counts",
            *(csv_file, len(repeats), *repeats[0]),
        )
