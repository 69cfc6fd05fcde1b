"""Names that others chose (files, classes, variables), made safe to display.

A name may contain what a terminal obeys (escape sequences, carriage returns), what
reverses the order of letters (Unicode's bidirectional overrides), or what a spreadsheet
takes for a formula. All output passes through one of the functions here:
`config.app.run` sends stdout and the log through `printable_lines`, `common.tables` its
cells through `printable`, and every CSV file is written by a `CsvWriter`.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

# What may have to be escaped: everything but the printable characters of ASCII.
_UNUSUAL = re.compile(r"[^ -~]")
# https://owasp.org/www-community/attacks/CSV_Injection, with full-width forms, which
# East Asian versions of spreadsheets treat like the others.
_FORMULA = re.compile(r"\s*[=+\-@\t\r\n＝＋－＠]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_QUOTE = "'"


class _Writable(Protocol):
    def write(self, text: str, /) -> Any: ...


def printable(text: str) -> str:
    """The text with Python's escapes for unprintable characters."""
    return _UNUSUAL.sub(_escaped, text)


def printable_lines(text: str) -> str:
    """Like `printable`, but line ends and tabs stay as they are."""
    return _UNUSUAL.sub(lambda m: m[0] if m[0] in "\n\t" else _escaped(m), text)


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    return char if char.isprintable() else char.encode("unicode_escape").decode()


def first_few(names: Sequence[str], limit: int = 3) -> str:
    """The first names, printable, and how many more there are."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(map(printable, names[:limit])) + more


def json_text(text: str) -> str:
    """Equivalent JSON without unprintable characters in its strings."""
    return re.sub(
        r"[^ -~\n]",
        lambda m: m[0] if m[0].isprintable() else _json_escape(m[0]),
        text,
    )


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    pairs = (units[at : at + 2] for at in range(0, len(units), 2))
    return "".join(f"\\u{pair.hex()}" for pair in pairs)


class CsvWriter:
    """Writes CSV that contains neither formulas nor control characters.

    Text that a spreadsheet would take for a formula gets a leading apostrophe, which
    marks text in spreadsheets; `csv_text` removes it. Numbers stay as they are.
    """

    def __init__(self, file: _Writable, *, line_end: str = "\n") -> None:
        """Args: file: open for text; line_end: after each row."""
        self._writer = csv.writer(file, lineterminator=line_end)

    def write_row(self, cells: Iterable[Any]) -> None:
        """Writes one row of texts and numbers."""
        self._writer.writerow([_cell(cell) for cell in cells])

    def write_rows(self, rows: Iterable[Sequence[Any]]) -> None:
        """Writes rows."""
        for row in rows:
            self.write_row(row)


def csv_text(cell: str) -> str:
    """The text of a cell that `CsvWriter` wrote."""
    return cell[1:] if cell[:1] == _QUOTE and _is_quotable(cell) else cell


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = printable_lines(value)
    return _QUOTE + text if _is_quotable(text) else text


def _is_quotable(text: str) -> bool:
    """Whether a text, without leading apostrophes, would be taken for a formula.

    Text that has an apostrophe already gets another, so that `csv_text` restores it.
    """
    bare = text.lstrip(_QUOTE)
    return bool(_FORMULA.match(bare)) and not (bare == text and _NUMBER.fullmatch(text))
