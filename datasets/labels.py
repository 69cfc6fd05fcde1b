r"""labels.txt: one `id:name` line per class, as in slim.

A name is everything after the first colon. What a line cannot hold is escaped: a
backslash becomes `\\`, a newline `\n`, a carriage return `\r`, and a code point that
UTF-8 cannot encode (from a file name in another encoding) `\udc80`. All other names
look as in slim. `dataset.json` holds the names unescaped.
"""

import os
import re
from collections.abc import Mapping, Sequence

from common import storage
from common.atomic_files import atomic_write
from errors import UserError

FILENAME = "labels.txt"

_MAX_DIGITS = 7  # every id up to the largest gets a name

_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_UNESCAPES = {escaped: char for char, escaped in _ESCAPES.items()}
_ESCAPED = re.compile(r"\\[\\nr]|\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def write(
    dataset_dir: str,
    class_names: Sequence[str] | Mapping[int, str],
    filename: str = FILENAME,
) -> None:
    """Writes labels.txt: names in order, with ids 0, 1, …, or names by id."""
    if not isinstance(class_names, Mapping):
        class_names = dict(enumerate(class_names))
    with atomic_write(os.path.join(dataset_dir, filename), "w") as file:
        for label, name in class_names.items():
            file.write(f"{label}:{_escape(name)}\n")


def read(dataset_dir: str) -> tuple[str, ...] | None:
    """Reads the class names from labels.txt.

    Args:
      dataset_dir: the directory that may hold the file.

    Returns:
      The names by id, or None without a file. Missing ids below the largest are named
      by their number.

    Raises:
      UserError: a line is not `id:name`, an id occurs twice, or the file is empty.
    """
    names = read_by_id(dataset_dir)
    if names is None:
        return None
    return tuple(names.get(label, str(label)) for label in range(max(names) + 1))


def read_by_id(dataset_dir: str, filename: str = FILENAME) -> dict[int, str] | None:
    """Like `read`, but as a dictionary of the ids that have a line."""
    path = os.path.join(dataset_dir, filename)
    try:
        with storage.open_text(path, encoding="utf-8-sig", newline="\n") as file:
            lines = file.read().split("\n")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8 text ({error}): save it as UTF-8"
        ) from error
    names: dict[int, str] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            label, name = _parse(line, f"{path} line {number}")
            if label in names:
                raise UserError(
                    f"{path} line {number} names class {label} again, as {name!r} after"
                    f" {names[label]!r}: give each id one line"
                )
            names[label] = name
    if not names:
        raise UserError(
            f"{path} is empty: write one id:name line per class, or remove it"
        )
    return names


def _parse(line: str, where: str) -> tuple[int, str]:
    label, colon, name = line.removesuffix("\r").partition(":")
    if not colon or not label.strip().isdecimal():
        raise UserError(f"{where} is {line!r}: expected id:name, as in 0:daisy")
    if len(label.strip()) > _MAX_DIGITS:
        raise UserError(f"{where}: no data set has so many classes as {label}")
    return int(label), _unescape(name)


def _escape(name: str) -> str:
    return "".join(
        f"\\u{ord(char):04x}"
        if "\ud800" <= char <= "\udfff"
        else _ESCAPES.get(char, char)
        for char in name
    )


def _unescape(text: str) -> str:
    def char(match: re.Match[str]) -> str:
        escaped = match.group()
        return _UNESCAPES.get(escaped) or chr(int(escaped[2:], 16))

    return _ESCAPED.sub(char, text)
