"""Color maps with numbers worked by hand."""

import numpy as np
import pytest

from convert.from_keras import color_map
from convert.from_keras.color_map import ColorMap

MIX = np.array([[0.5, 0, 0], [0, 0, 2.0], [0, 1, 0]])


def test_a_map_is_measured_exactly():
    found = color_map.measure(lambda images: images @ MIX.T + [1, -2, 3], 4, 3)
    assert found is not None
    np.testing.assert_allclose(found.matrix, MIX, rtol=1e-6)
    np.testing.assert_allclose(found.shift, [1, -2, 3])
    assert found.largest_value == pytest.approx(2 * 255 - 2)


def test_what_is_not_of_single_pixels_is_no_map():
    assert color_map.measure(lambda images: np.roll(images, 1, axis=1), 4, 3) is None
    assert color_map.measure(np.square, 4, 1) is None


def test_reorderings():
    swapped = np.eye(3)[::-1]
    assert ColorMap(swapped, np.zeros(3)).is_reordering
    assert ColorMap(np.ones((3, 1)), np.zeros(3)).is_reordering
    assert not ColorMap(swapped, np.ones(3)).is_reordering
    assert not ColorMap(2 * swapped, np.zeros(3)).is_reordering
    assert not ColorMap(np.ones((3, 3)), np.zeros(3)).is_reordering


def test_the_rest_after_an_inner_map():
    inner = ColorMap(np.diag([2.0, 4.0]), np.array([1.0, 1.0]))
    outer = ColorMap(np.diag([4.0, 4.0]), np.array([0.0, 5.0]))
    rest = outer.after(inner)
    np.testing.assert_allclose(rest.matrix, np.diag([2, 1]))
    np.testing.assert_allclose(rest.shift, [-2, 4])
    color = np.array([3.0, 7.0])
    np.testing.assert_allclose(rest.of(inner.of(color)), outer.of(color))


@pytest.mark.parametrize(
    ("scale", "shift", "name", "shades"),
    [
        (1 / 127.5, -1, "keras_tf", 0),
        (3 / 255, 0, "keras_unit", 0),
        (1, -5, "keras_unit", 5),
    ],
)
def test_the_nearest_preprocessing_is_that_with_the_same_zero(
    scale, shift, name, shades
):
    wanted = ColorMap(scale * np.eye(3), np.full(3, shift))
    found, rest, distance = color_map.nearest_preprocessing(wanted)
    assert found == name
    assert distance == pytest.approx(shades, abs=1e-3)
    color = color_map.of_preprocessing(name, 3).of(np.array([10.0, 20.0, 30.0]))
    np.testing.assert_allclose(
        rest.of(color), [scale * c + shift for c in (10, 20, 30)], atol=1e-4
    )
