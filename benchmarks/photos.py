"""Photos to measure with, drawn by a seeded generator: nothing is downloaded."""

import io
import pathlib

import numpy as np
from PIL import Image

NUM_CLASSES = 5
_QUALITY = 90
# Of the noise, from one octave to the next: detail of about the strength that makes
# JPEG files of the size of photographs (0.4 bytes a pixel at 500 × 375).
_FALLOFF = 0.74
_SPREAD = 60.0  # of the coarsest octave, in steps of 255
# Of the windows of one picture: enough for tens of thousands, none like another.
_NUM_PICTURES, _STEPS = 20, 200


def photo(number: int, width: int, height: int) -> bytes:
    """A JPEG file that looks like clouds: smooth areas, edges, fine grain.

    Args:
      number: which of them.
      width: in pixels.
      height: in pixels.
    """
    generator = np.random.default_rng(number)
    rows, columns, spread = 3, 4, _SPREAD
    image = generator.normal(128, spread, (rows, columns, 3)).astype(np.float32)
    while rows < height or columns < width:
        rows, columns = min(2 * rows, height), min(2 * columns, width)
        spread *= _FALLOFF
        grain = generator.normal(0, spread, (rows, columns, 1)).astype(np.float32)
        image = _resized(image, rows, columns) + grain
    pixels = np.clip(image, 0, 255).astype(np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "JPEG", quality=_QUALITY)
    return encoded.getvalue()


def _resized(image: np.ndarray, rows: int, columns: int) -> np.ndarray:
    channels = [
        Image.fromarray(image[..., channel]).resize(
            (columns, rows), Image.Resampling.BICUBIC
        )
        for channel in range(3)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)


def write_windows(
    folder: pathlib.Path, numbers: range, width: int, height: int
) -> None:
    """Writes photos as `write` does, each a window of one of few pictures.

    That takes a tenth of the time; no two are alike. Arguments are those of `write`.
    """
    pictures = [
        Image.open(io.BytesIO(photo(number, width + _STEPS, height + _STEPS)))
        for number in range(min(_NUM_PICTURES, len(numbers)))
    ]
    for number in numbers:
        place, picture = divmod(number, _NUM_PICTURES)
        top, left = divmod(place, _STEPS)
        window = pictures[picture].crop((left, top, left + width, top + height))
        encoded = io.BytesIO()
        window.save(encoded, "JPEG", quality=_QUALITY)
        _write(folder, number, encoded.getvalue())


def write(folder: pathlib.Path, numbers: range, width: int, height: int) -> None:
    """Writes photos into a folder a class, as the converter and the peers read them.

    Args:
      folder: where the classes' folders go.
      numbers: which of them.
      width: in pixels.
      height: in pixels.
    """
    for number in numbers:
        _write(folder, number, photo(number, width, height))


def _write(folder: pathlib.Path, number: int, encoded: bytes) -> None:
    directory = folder / f"class_{number % NUM_CLASSES}"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{number:05d}.jpg").write_bytes(encoded)
