"""Tables, as text for a terminal or a log and as Markdown for TensorBoard."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

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
      Lines without a trailing newline, never wrapped.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column, header in enumerate(headers):
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
    return f"{title}\n\n{text}" if title else text


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same table for a Markdown reader."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
