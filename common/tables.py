"""Tables, as text for a terminal or a log and as Markdown for TensorBoard."""

import sys
from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from common import terminal
from common.untrusted_text import printable

_NEVER_WRAP = 100_000  # columns
_GAP = 2  # blanks between columns of a table that must fit
_MIN_FIRST = 12  # the first column is never narrower


def printed(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    title: str = "",
    optional: Sequence[str] = (),
) -> str:
    """A table for stdout, at most as wide as the terminal, if it is one.

    Args:
      headers: the name of each column.
      rows: cells by row.
      title: a line above the table.
      optional: headers of the columns to omit, in this order, if there is no room.
    """
    width = terminal.columns(sys.stdout)
    if width is None:
        return text_table(headers, rows, title=title)
    for name in optional:
        if _least_width(headers, rows) > width:
            kept = [i for i, header in enumerate(headers) if header != name]
            headers = [headers[i] for i in kept]
            rows = [[row[i] for i in kept] for row in rows]
    excess = _least_width(headers, rows) - width
    if excess > 0:
        first = _least_column(headers[0], [printable(row[0]) for row in rows], 0)
        first = max(first - excess, _MIN_FIRST)
        rows = [[_end_of(row[0], first), *row[1:]] for row in rows]
    width = max(width, _least_width(headers, rows))  # better too wide than truncated
    text = text_table(headers, rows, width=width)
    title = terminal.wrapped(printable(title), sys.stdout)
    return f"{title}\n\n{text}" if title else text


def text_table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    title: str = "",
    width: int | None = None,
) -> str:
    """A table of aligned columns, those of numbers aligned right.

    Args:
      headers: the name of each column.
      rows: cells by row.
      title: a line above the table.
      width: the width of the table; to fit it, cells are wrapped between words, except
        in the first column. None never wraps them.

    Returns:
      Lines without a trailing newline; unprintable characters are escaped.
    """
    padding = (0, 1) if width is None else (0, 1, 0, 0)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=padding)
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = None if width is None else _widths(headers, rows, width)
    for column, header in enumerate(map(printable, headers)):
        cells = [row[column] for row in rows]
        table.add_column(
            header,
            justify="right" if _is_numeric(cells) else "left",
            no_wrap=width is None or column == 0,
            # Given, since rich would narrow a column below its longest word.
            width=widths[column] if widths else None,
        )
    for row in rows:
        table.add_row(*row)
    console = Console(
        width=width or _NEVER_WRAP,
        color_system=None,
        markup=False,
        emoji=False,
        highlight=False,
    )
    with console.capture() as capture:
        console.print(table)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    text = "\n".join(lines).strip("\n")
    return f"{printable(title)}\n\n{text}" if title else text


def _is_numeric(cells: Sequence[str]) -> bool:
    return all(cell.replace(",", "").isdigit() for cell in cells if cell)


def _least_width(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """The least width of a table, in columns of the terminal, edges included."""
    widths = [
        _least_column(printable(header), [printable(row[i]) for row in rows], i)
        for i, header in enumerate(headers)
    ]
    return 1 + sum(widths) + _GAP * (len(widths) - 1) + 1


def _widths(
    headers: Sequence[str], rows: Sequence[Sequence[str]], width: int
) -> list[int]:
    """Widths of the columns, at least those of their longest words, to fill `width`."""
    spare = max(width - _least_width(headers, rows), 0)
    widths = []
    for column, header in enumerate(map(printable, headers)):
        cells = [printable(row[column]) for row in rows]
        least = _least_column(header, cells, column)
        more = min(spare, max(map(cell_len, [header, *cells])) - least)
        widths.append(least + more)
        spare -= more
    return widths


def _least_column(header: str, cells: Sequence[str], column: int) -> int:
    """Width of the longest word in a column, or of the longest cell in the first."""
    texts = [header, *cells]
    words = texts if column == 0 else [word for text in texts for word in text.split()]
    return max(map(cell_len, words), default=0)


def _end_of(text: str, width: int) -> str:
    """The end of a path or scope, which is more informative than its beginning."""
    text = printable(text)
    while cell_len(text) > width:
        text = f"…{text.removeprefix('…')[1:]}"
    return text


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; `markdown_cells` reads its rows back."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join(f"| {' | '.join(map(_in_markdown, cells))} |" for cells in lines)


def markdown_cells(line: str) -> list[str]:
    """The cells of a line of `markdown_table`."""
    cells = line.removeprefix("| ").removesuffix(" |").split(" | ")
    return [cell.replace("\\|", "|") for cell in cells]


def _in_markdown(cell: str) -> str:
    return printable(cell).replace("|", "\\|")
