import io
import warnings

import numpy as np
import pytest
from PIL import Image
from scipy import sparse

from engine.report import confusion_figure


def _names(count: int) -> list[str]:
    return [f"class {i}" for i in range(count)]


def _pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


@pytest.mark.parametrize("num_classes", [1, 2, 120])
def test_sizes(num_classes):
    matrix = np.eye(num_classes, dtype=int)
    png = confusion_figure.draw(matrix, _names(num_classes), "title")
    height, width, _ = _pixels(png).shape
    assert 500 < height < 2400
    assert 500 < width < 2400


def test_colours_are_shares_of_the_rows():
    """The same shares of ten times as many images; no counts at so many classes."""
    matrix = np.eye(31, dtype=int) * 3 + np.eye(31, k=1, dtype=int)
    names = _names(31)
    few = confusion_figure.draw(matrix, names, "")
    assert confusion_figure.draw(matrix * 10, names, "") == few
    assert confusion_figure.draw(matrix.T, names, "") != few


def test_counts_are_shown_when_classes_are_few():
    matrix = np.eye(3, dtype=int)
    assert confusion_figure.draw(matrix, _names(3), "") != confusion_figure.draw(
        matrix * 10, _names(3), ""
    )


def test_a_class_without_images_is_blank():
    """Rows are true classes: the middle of the second row is nearly white."""
    matrix = np.array([[5, 5], [0, 0]])
    pixels = _pixels(confusion_figure.draw(matrix, ["a", "b"], ""))
    blue = pixels[..., 2] - pixels[..., 0] > 60
    rows = np.flatnonzero(blue[:, : blue.shape[1] // 2].any(axis=1))
    assert rows.max() < pixels.shape[0] * 0.6


def test_any_name_can_be_drawn():
    names = ["a, b", "$x$ \\frac", "new\nline", "名前", "\udc80", "long " * 30]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        png = confusion_figure.draw(np.eye(6, dtype=int), names, "$_^")
    assert _pixels(png).shape[1] < 2400


def test_neighbours_share_a_cell_above_a_thousand_classes():
    """2500 classes, three to a cell: what a cell is of counts together."""
    few = np.zeros((834, 834), int)
    few[0, 0], few[0, 1], few[833, 5] = 4, 2, 7
    rows, columns = [0, 2, 1, 2499], [1, 0, 4, 17]
    many = sparse.csr_array(([3, 1, 2, 7], (rows, columns)), shape=(2500, 2500))
    np.testing.assert_array_equal(confusion_figure._binned(many, 3), few)
    height, width, _ = _pixels(confusion_figure.draw(many, _names(2500), "title")).shape
    assert max(height, width) < 2500


def test_a_matrix_may_be_sparse_or_not():
    matrix = np.eye(4, dtype=int)
    assert confusion_figure.draw(matrix, _names(4), "") == confusion_figure.draw(
        sparse.csr_array(matrix), _names(4), ""
    )
