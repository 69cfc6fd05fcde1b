"""Reads the CSV file that lists photos: its columns and rows."""

import codecs
import csv
import dataclasses
import os
import re
from collections.abc import Sequence

from absl import logging

from common.untrusted_text import csv_text, first_few
from convert.photos import split_names
from convert.photos.split_names import SPLITS
from datasets.photos.photo_files import has_photo_suffix
from errors import UserError, nearest

_PATH_WORDS = frozenset(
    [
        *("file", "filename", "filepath", "fname", "id", "image", "imageid"),
        *("imagename", "imagepath", "img", "imgpath", "name", "photo", "picture"),
    ]
)
_LABEL_WORDS = frozenset(
    [
        *("annotation", "breed", "category", "class", "classname", "labelname"),
        *("labels", "species", "target", "y"),
    ]
)
_SPLIT_WORDS = frozenset(
    [
        *("dataset", "datasetsplit", "datasplit", "fold", "partition", "phase", "set"),
        *("splitname", "splits", "subset", "usage"),
    ]
)
# What spreadsheets and pandas write for an empty cell.
_NO_LABELS = frozenset(
    ["nan", "none", "null", "na", "n/a", "#n/a", "<na>", "nat", "undefined"]
)
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


@dataclasses.dataclass(frozen=True)
class Row:
    """A photo in the list.

    Attributes:
      path: the path of the photo, as in the file.
      label: its class.
      split: "train", "validation", "test", or None if the row does not give it.
      line: the line number of the file, from 1.
    """

    path: str
    label: str
    split: str | None
    line: int


def read(
    csv_file: str, *, split_column: str | None = None, divided: bool = True
) -> list[Row]:
    """Reads a list of photos.

    Args:
      csv_file: in UTF-8, or UTF-16 with a byte-order mark; the first line names the
        columns path, label and optionally split, in any case. Others are ignored.
      split_column: the name of the column with the split; None is "split", or another
        column that clearly holds it.
      divided: whether to look for such a column at all.

    Raises:
      UserError: the file is not such a list, a row has no path, no label or an unknown
        split, or two columns may hold the split.
    """
    header, lines = _parse(csv_file)
    known = {name.strip().lower(): index for index, name in enumerate(header)}
    _check_header(csv_file, header, known)
    path, label = known["path"], known["label"]
    split = None
    if split_column:
        split = _named_column(csv_file, header, split_column)
    elif divided:
        split = known.get("split")
        if split is None:
            others = [at for at in range(len(header)) if at not in (path, label)]
            split = _likely_split(csv_file, header, lines, others)
    rows = []
    for line, cells in lines:
        where = f"{csv_file} line {line}"
        if any(cell.strip() for cell in cells[len(header) :]):
            raise UserError(
                f"{where} has {len(cells)} cells, but the first line names"
                f" {len(header)} columns: put text with a comma in quotes"
            )
        rows.append(
            Row(
                _cell(cells, path, "path", where),
                _cell(cells, label, "label", where),
                _split(cells, split, where),
                line,
            )
        )
    return rows


def check_labels(csv_file: str, rows: Sequence[Row]) -> None:
    """Raises a UserError for labels that mean a missing one, such as nan."""
    empty = [row for row in rows if row.label.strip().lower() in _NO_LABELS]
    if empty:
        lines = first_few([str(row.line) for row in empty])
        raise UserError(
            f"{csv_file} has the label {empty[0].label!r}, which means a missing"
            f" one, in line {lines}: give the photos a label, or remove the lines;"
            " if it is a class, list the classes in a --labels_file"
        )


def _parse(csv_file: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The names of the columns, and number and cells of each further line."""
    try:
        with open(csv_file, "rb") as file:
            start = file.read(4)
        with open(csv_file, encoding=_encoding(start), newline="") as text:
            reader = csv.reader(text, skipinitialspace=True)
            lines = [(reader.line_num, cells) for cells in reader if cells]
    except OSError as error:
        raise UserError(
            f"--csv_file={csv_file} cannot be read: {error.strerror}"
        ) from error
    except (UnicodeError, csv.Error) as error:
        raise UserError(
            f"--csv_file={csv_file} is not UTF-8 text with commas ({error}): save it as"
            " CSV in UTF-8"
        ) from error
    header = lines[0][1] if lines else []
    if any("\0" in name for name in header):
        raise UserError(
            f"--csv_file={csv_file} is not UTF-8 text, but UTF-16 or no text at all:"
            " save it as CSV in UTF-8"
        )
    return header, lines[1:]


def _encoding(start: bytes) -> str:
    """The encoding by a file's byte-order mark; UTF-8 if it has none."""
    if start in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE):
        return "utf-32"
    if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    return "utf-8-sig"


def _check_header(csv_file: str, header: Sequence[str], known: dict[str, int]) -> None:
    """Raises a UserError unless there is one column path and one column label."""
    absent = [column for column in ("label", "path") if column not in known]
    if absent:
        raise UserError(
            f"{csv_file} has no column {' and no '.join(absent)}: its first line must"
            " name the columns path, label and optionally split; it names"
            f" {', '.join(header or ['nothing'])}{_explain_header(header, absent)}"
        )
    for column in ("path", "label", "split"):
        names = [name for name in header if name.strip().lower() == column]
        if len(names) > 1:
            raise UserError(
                f"{csv_file} has {len(names)} columns {column} ({', '.join(names)}):"
                " rename those that do not hold it"
            )


def _explain_header(header: Sequence[str], absent: Sequence[str]) -> str:
    """The likely reason why columns are missing; "" if there is none."""
    for separator, name in _SEPARATORS.items():
        if len(header) == 1 and separator in header[0]:
            return f"; its cells are separated by {name}: save it with commas"
    if any(has_photo_suffix(name.strip()) for name in header):
        return "; that is a photo: put the line path,label above it"
    words = {"path": _PATH_WORDS, "label": _LABEL_WORDS}
    renamed = [
        f"rename {name!r} to {column!r}"
        for column in sorted(absent, reverse=True)
        for name in header
        if _word(name) in words[column]
    ]
    return f"; {', '.join(renamed)} if that is what it holds" if renamed else ""


def _word(name: str) -> str:
    return "".join(char for char in name.lower() if char.isalnum())


def _named_column(csv_file: str, header: Sequence[str], column: str) -> int:
    """The index of the column that --csv_split_column names."""
    names = [name.strip() for name in header]
    if names.count(column.strip()) != 1:
        raise UserError(
            f"--csv_split_column={column}: {csv_file} names its columns"
            f" {', '.join(names)}{nearest(column, names)}"
        )
    return names.index(column.strip())


def _likely_split(
    csv_file: str,
    header: Sequence[str],
    lines: Sequence[tuple[int, Sequence[str]]],
    others: Sequence[int],
) -> int | None:
    """The index of a column with another name that holds the splits, or None.

    Raises:
      UserError: it is unclear whether a column does.
    """
    plain = []
    for column in others:
        name = header[column].strip()
        values = {cells[column].strip() for _, cells in lines if column < len(cells)}
        values.discard("")
        words = [split_names.split_of_word(value) for value in values]
        is_named = _word(name) in _SPLIT_WORDS
        if is_named and words and all(words):
            plain.append(column)
            continue
        says_splits = len({*words} - {None}) > 1 or (words and all(words))
        if says_splits or (words and (is_named or split_names.has_split_word(name))):
            raise UserError(
                f"{csv_file} has a column {name!r} with {_examples(values)}: if it"
                f" holds the splits, name them {', '.join(SPLITS)} and give"
                f" --csv_split_column={name}; if not, give --splits=none"
            )
    names = [header[column].strip() for column in plain]
    if len(plain) > 1:
        raise UserError(
            f"{csv_file} has the columns {' and '.join(names)}, which both hold splits:"
            f" give the right one, as in --csv_split_column={names[0]}"
        )
    if plain:
        logging.info("The column %s holds the splits", names[0])
    return plain[0] if plain else None


def _examples(values: set[str]) -> str:
    return first_few(list(map(repr, sorted(values))))


def _cell(cells: Sequence[str], column: int, name: str, where: str) -> str:
    value = csv_text(cells[column]) if column < len(cells) else ""
    if not value.strip():
        raise UserError(f"{where} has no {name}: fill it in, or remove the line")
    return value


def _split(cells: Sequence[str], column: int | None, where: str) -> str | None:
    text = cells[column] if column is not None and column < len(cells) else ""
    split = split_names.split_of_word(text)
    if text.strip() and not split:
        raise UserError(
            f"{where} has the split {text!r}: use {', '.join(SPLITS)}, or leave it"
            " empty; if the column does not hold splits, give --splits=none"
        )
    return split


def local_path(name: str, start: str) -> str:
    """The path of a photo on this machine.

    Args:
      name: its path in the list; Windows' backslashes are replaced by slashes if only
        that file exists.
      start: the folder that relative paths start from.
    """
    path = os.path.join(start, name)
    slashed = os.path.join(start, name.replace("\\", "/"))
    return slashed if not os.path.exists(path) and os.path.exists(slashed) else path


def explain_absent(name: str) -> str:
    """The likely reason why there is no such file, starting with "; ", or ""."""
    if "\\" in name or re.match("[A-Za-z]:/", name):
        return "; it is a Windows path: write it with '/', relative to the photos"
    if "://" in name:
        return "; it is a URL: list photos that are on this machine"
    return ""
