"""The picture of a confusion matrix."""

import io
import math
import textwrap
import warnings
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from scipy import sparse

_MAX_CELLS = 1000  # per side: more could not be told apart
_MAX_COUNTED = 30  # classes: with more, a cell has no room for its count
_MAX_NAME = 24  # characters
_POINTS_PER_INCH = 72
_DOTS_PER_INCH = 200
_MAX_PIXELS = 2250  # a side, before what sticks out is added
_CHARACTERS_PER_INCH = 9


def draw(
    matrix: np.ndarray | sparse.csr_array, class_names: Sequence[str], title: str
) -> bytes:
    """Draws a confusion matrix, each row colored by its shares.

    With more than 1000 classes, a cell stands for several neighbors, and the title says
    so.

    Args:
      matrix: `[classes, classes]` int, images by true class (row) and predicted class.
      class_names: names of the rows and columns.
      title: the line above the matrix.

    Returns:
      A PNG of at most 2400 pixels per side.
    """
    of_a_cell = -(-len(class_names) // _MAX_CELLS)
    matrix = _binned(matrix, of_a_cell)
    class_names = class_names[::of_a_cell]
    if of_a_cell > 1:
        title += f"\neach row and column is {of_a_cell} classes; the first is named"
    num_classes = len(class_names)
    side_inches = min(max(2.5, 0.45 * num_classes), 20.0)
    width = side_inches + 2.5
    figure = Figure((width, width), layout="constrained")
    axes = figure.add_subplot()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    # What matters is rare confusions: the square root makes 1 in 100 visible.
    image = axes.imshow(
        shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1), interpolation="none"
    )
    figure.colorbar(image, ax=axes, shrink=0.6, label="share of the true class")
    room = int(width * _CHARACTERS_PER_INCH)
    lines = [
        part
        for line in title.split("\n")
        for part in textwrap.wrap(_printable(line, 80), room)
    ]
    axes.set_title("\n".join(lines), parse_math=False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    cell_points = side_inches * _POINTS_PER_INCH / num_classes
    _name_ticks(axes, class_names, cell_points, of_a_cell)
    if num_classes <= _MAX_COUNTED:
        _write_counts(axes, matrix, shares)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # Characters that the font lacks show as boxes; the class's number helps.
        warnings.filterwarnings("ignore", "Glyph")
        dpi = min(_DOTS_PER_INCH, _MAX_PIXELS / width)
        figure.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight")
    return buffer.getvalue()


def _binned(matrix: np.ndarray | sparse.csr_array, of_a_cell: int) -> np.ndarray:
    """The dense matrix with `of_a_cell` neighboring classes summed into one."""
    cells = sparse.coo_array(matrix)
    side = -(-cells.shape[0] // of_a_cell)
    places = cells.row // of_a_cell, cells.col // of_a_cell
    return sparse.coo_array((cells.data, places), shape=(side, side)).toarray()


def _name_ticks(
    axes: Axes, class_names: Sequence[str], cell_points: float, of_a_cell: int
) -> None:
    """Names every class, or as many evenly spaced ones as there is room for."""
    font_points = min(max(0.7 * cell_points, 6.0), 10.0)
    places = range(0, len(class_names), math.ceil(font_points / cell_points))
    labels = [
        f"{_printable(class_names[i], _MAX_NAME)} · {i * of_a_cell}" for i in places
    ]
    axes.set_xticks(places, labels, fontsize=font_points, rotation=90, parse_math=False)
    axes.set_yticks(places, labels, fontsize=font_points, parse_math=False)


def _write_counts(axes: Axes, matrix: np.ndarray, shares: np.ndarray) -> None:
    for (row, column), count in np.ndenumerate(matrix):
        if count:
            color = "white" if shares[row, column] > 0.4 else "black"
            place = {"ha": "center", "va": "center"}
            axes.text(column, row, f"{count}", place, color=color, fontsize=8)


def _printable(text: str, max_length: int) -> str:
    """The text as one line of limited length, in characters that can be drawn."""
    encodable = text.encode("utf-8", "backslashreplace").decode()
    line = "".join(c if c.isprintable() else "�" for c in encodable)
    return line if len(line) <= max_length else f"{line[: max_length - 1]}…"
