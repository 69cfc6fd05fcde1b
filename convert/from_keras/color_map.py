"""What is done to the color of each pixel, as a matrix and a shift.

Rescaling, normalization and the arithmetic of `preprocess_input` are all of this form.
The map is measured on images of a single color, whatever layers it consists of.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from preprocessing import preprocessing_factory

# The preprocessings that take the whole image, as Keras does, by what their zero means.
_RECIPES = (
    "keras_tf",
    "keras_unit",
    "keras_vgg",
    "keras_imagenet",
    "keras_efficientnet_v2",
)
_EXACT = 1e-6
_RELATIVE_TOLERANCE = 1e-4  # between a map and what it was measured from


@dataclasses.dataclass(frozen=True)
class ColorMap:
    """`matrix @ color + shift`.

    Attributes:
      matrix: `[channels out, channels in]`.
      shift: `[channels out]`.
    """

    matrix: np.ndarray
    shift: np.ndarray

    def of(self, images: np.ndarray) -> np.ndarray:
        """Images, `[..., channels in]`, with their colors mapped."""
        return images @ self.matrix.T + self.shift

    @property
    def is_reordering(self) -> bool:
        """Whether the map only reorders or repeats the channels."""
        ones = np.isclose(self.matrix, 1, atol=_EXACT)
        zeros = np.abs(self.matrix) < _EXACT
        return not np.any(self.shift) and bool(
            np.all(ones.sum(1) == 1) & np.all(ones | zeros)
        )

    @property
    def largest_value(self) -> float:
        """The largest absolute value that black or white is mapped to."""
        white = self.shift + 255 * self.matrix.sum(1)
        return float(np.abs(np.stack([self.shift, white])).max())

    @property
    def zero(self) -> np.ndarray:
        """The color mapped to zero, or to the nearest value, `[channels in]`."""
        return -np.linalg.pinv(self.matrix) @ self.shift

    def after(self, inner: "ColorMap") -> "ColorMap":
        """The map that gives this one's values when applied to those of `inner`."""
        matrix = self.matrix @ np.linalg.inv(inner.matrix)
        return ColorMap(matrix, self.shift - matrix @ inner.shift)

    def rounded(self) -> "ColorMap":
        """The map with the matrix's almost whole numbers made whole."""
        nearest = np.round(self.matrix)
        is_close = np.abs(self.matrix - nearest) < _EXACT
        return ColorMap(np.where(is_close, nearest, self.matrix), self.shift)


def measure(
    run: Callable[[np.ndarray], np.ndarray], size: int, channels: int
) -> ColorMap | None:
    """Measures a color map.

    Args:
      run: from images in [0, 255], `[n, size, size, channels]` float32, to what they
        are mapped to.
      size: side of the images in pixels.
      channels: the number of channels of the images.

    Returns:
      The map; None if `run` is not one, as tested on noise.
    """
    images = np.zeros((channels + 2, size, size, channels), np.float32)
    for channel in range(channels):
        images[channel + 1, ..., channel] = 255
    noise = np.random.default_rng(0).integers(0, 256, images.shape[1:])
    images[-1] = noise
    mapped = run(images).astype(np.float64)
    black, *pure = mapped[:-1].mean((1, 2))
    matrix = np.stack([(color - black) / 255 for color in pure], axis=1)
    matrix[np.abs(matrix) < _EXACT * np.abs(matrix).max()] = 0
    measured = ColorMap(matrix, black)
    expected = measured.of(images[-1])
    tolerance = _RELATIVE_TOLERANCE * max(np.abs(expected).max(), 1e-6)
    if (
        mapped[-1].shape != expected.shape
        or np.abs(mapped[-1] - expected).max() > tolerance
    ):
        return None
    return measured


def of_preprocessing(name: str, channels: int) -> ColorMap:
    """The map of a preprocessing, seen on plain colors, which no resize changes."""
    prepare = preprocessing_factory.get_preprocessing(name, False, channels == 1)
    images = np.zeros((channels + 1, 8, 8, channels), np.uint8)
    for channel in range(channels):
        images[channel + 1, ..., channel] = 255
    black, *pure = (np.float64(prepare(image, 8, 8)[4, 4]) for image in images)
    matrix = np.stack([(color - black) / 255 for color in pure], axis=1)
    return ColorMap(matrix, np.asarray(black))


def nearest_preprocessing(wanted: ColorMap) -> tuple[str, ColorMap, float]:
    """The preprocessing whose zero is nearest to a map's.

    Zero matters because layers pad with it: with another zero, the borders of images
    would differ.

    Args:
      wanted: from an image's colors to those that a net takes.

    Returns:
      The preprocessing's name, the map from its colors to the net's, and the distance
      of the two zeros in shades of 255.
    """
    shade = np.maximum(np.abs(wanted.matrix).max(axis=1), np.finfo(float).tiny)
    found = []
    for name in _RECIPES:
        rest = wanted.after(of_preprocessing(name, wanted.matrix.shape[1]))
        found.append((float(np.max(np.abs(rest.shift) / shade)), name, rest))
    shades, name, rest = min(found, key=lambda one: one[0])
    return name, rest, shades
