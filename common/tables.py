"""Tables, as text for a terminal or a log and as Markdown for TensorBoard."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from common.untrusted_text import printable

_NEVER_WRAP = 100_000  # columns


def text_table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = ""
) -> str:
    """Aligned columns; columns whose cells are all numbers are aligned right.

    Args:
      headers: a name for each column.
      rows: cells by row.
      title: a line above the table.

    Returns:
      Lines without a trailing newline, never wrapped; what cannot be shown is escaped.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    rows = [[printable(cell) for cell in row] for row in rows]
    for column, header in enumerate(map(printable, headers)):
        cells = [row[column] for row in rows]
        numeric = all(cell.replace(",", "").isdigit() for cell in cells if cell)
        table.add_column(header, justify="right" if numeric else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console(
        width=_NEVER_WRAP, color_system=None, markup=False, emoji=False, highlight=False
    )
    with console.capture() as capture:
        console.print(table)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    text = "\n".join(lines).strip("\n")
    return f"{printable(title)}\n\n{text}" if title else text


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same table for a Markdown reader; `markdown_cells` reads it back."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join(f"| {' | '.join(map(_in_markdown, cells))} |" for cells in lines)


def markdown_cells(line: str) -> list[str]:
    """The cells of a line of `markdown_table`."""
    cells = line.removeprefix("| ").removesuffix(" |").split(" | ")
    return [cell.replace("\\|", "|") for cell in cells]


def _in_markdown(cell: str) -> str:
    return printable(cell).replace("|", "\\|")
