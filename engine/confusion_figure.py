"""The picture of a confusion matrix."""

import io
import math
import warnings
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

_MAX_COUNTED = 30  # classes up to which a cell has room for its count
_MAX_NAME = 24  # characters
_POINTS_PER_INCH = 72
_DOTS_PER_INCH = 100


def draw(matrix: np.ndarray, class_names: Sequence[str], title: str) -> bytes:
    """Draws a confusion matrix, each row coloured by its shares.

    Args:
      matrix: `[classes, classes]` int, images by true class (row) and predicted class.
      class_names: of the rows and columns.
      title: a line above it.

    Returns:
      A PNG, at most 2400 pixels a side.
    """
    num_classes = len(class_names)
    side_inches = min(max(5.0, 0.45 * num_classes), 20.0)
    figure = Figure((side_inches + 3, side_inches + 3), layout="constrained")
    axes = figure.add_subplot()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    # Rare confusions are what one looks for: the root makes 1 in 100 visible.
    image = axes.imshow(
        shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1), interpolation="none"
    )
    figure.colorbar(image, ax=axes, shrink=0.6, label="share of the true class")
    axes.set_title(_printable(title, 80), parse_math=False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    _name_ticks(axes, class_names, side_inches * _POINTS_PER_INCH / num_classes)
    if num_classes <= _MAX_COUNTED:
        _write_counts(axes, matrix, shares)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # Scripts that the font lacks show as boxes; the number beside them helps.
        warnings.filterwarnings("ignore", "Glyph")
        figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH, bbox_inches="tight")
    return buffer.getvalue()


def _name_ticks(axes: Axes, class_names: Sequence[str], cell_points: float) -> None:
    """Names every class, or as many, evenly spaced, as the cells leave room for."""
    font_points = min(max(0.7 * cell_points, 6.0), 10.0)
    places = range(0, len(class_names), math.ceil(font_points / cell_points))
    labels = [f"{_printable(class_names[i], _MAX_NAME)} · {i}" for i in places]
    axes.set_xticks(places, labels, fontsize=font_points, rotation=90, parse_math=False)
    axes.set_yticks(places, labels, fontsize=font_points, parse_math=False)


def _write_counts(axes: Axes, matrix: np.ndarray, shares: np.ndarray) -> None:
    for (row, column), count in np.ndenumerate(matrix):
        if count:
            colour = "white" if shares[row, column] > 0.4 else "black"
            place = {"ha": "center", "va": "center"}
            axes.text(column, row, f"{count}", place, color=colour, fontsize=8)


def _printable(text: str, max_length: int) -> str:
    """Text on one line, in characters that every font call takes, not too long."""
    encodable = text.encode("utf-8", "backslashreplace").decode()
    line = "".join(c if c.isprintable() else "�" for c in encodable)
    return line if len(line) <= max_length else f"{line[: max_length - 1]}…"
