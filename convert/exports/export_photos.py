"""The photos that an export is checked on, and those that calibrate int8."""

import io
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
from absl import logging
from PIL import Image

from datasets.photos import deep_photo, photo_codec, photo_files
from datasets.photos.unfit_photos import UnfitPhotoError
from errors import UserError

_NUM_GENERATED = 8
_ORIENTATION = 0x0112
_WHITE_LEVEL = 255
_DEEP_GRAY = "I;16"


def find(where: str, flag: str) -> list[str]:
    """Finds photos by a file, a folder with its subfolders, or a pattern; sorted.

    Raises:
      UserError: there is none.
    """
    found = photo_files.find(where).paths
    if not found:
        raise UserError(
            f"--{flag}={where}: no photos found; give a file, a folder or a pattern"
        )
    return found


def readable(
    paths: Sequence[str], flag: str, bits: int | None
) -> Iterator[tuple[str, bytes]]:
    """Reads photos; those that cannot be read are reported and skipped.

    Args:
      paths: their files.
      flag: the flag that named them, for messages.
      bits: see `deep_photo.reduce`.

    Yields:
      The path, and bytes that TensorFlow decodes as for prediction.

    Raises:
      UserError: none of them can be read.
    """
    num_read = 0
    first = ""
    for path in paths:
        try:
            encoded = photo_codec.read(path, bits).encoded
        except UnfitPhotoError as error:
            first = first or f"{path}: {error}"
            logging.warning("--%s: %s; it is skipped", flag, f"{path}: {error}")
            continue
        num_read += 1
        yield path, encoded
    if not num_read:
        raise UserError(
            f"--{flag}: none of {len(paths)} photos can be read ({first}); give others"
        )


def generated() -> list[bytes]:
    """PNG images of smooth random colors, always the same ones."""
    photos = []
    for seed in range(_NUM_GENERATED):
        coarse = tf.random.stateless_uniform([4, 5, 3], (seed, 0), 0, 255)
        fine = tf.image.resize(coarse, [96 + 16 * seed, 144], "bicubic")
        photos.append(tf.io.encode_png(tf.saturate_cast(fine, tf.uint8)).numpy())
    return photos


def in_every_form(
    images: Sequence[np.ndarray], bits: int | None = None
) -> dict[str, bytes]:
    """The kinds of files that people send and that a bare decoder reads wrongly.

    Args:
      images: [height, width, 1 or 3] uint8; the kinds of files take turns with them.
      bits: as for `served_photo.normalize`; kinds that it refuses are omitted.

    Returns:
      Files' bytes, by what is special about them.
    """
    files = {}
    for number, (name, image_format, mode, options) in enumerate(_forms()):
        if mode == _DEEP_GRAY and bits not in (None, deep_photo.FULL_BITS):
            continue
        pixels = images[number % len(images)]
        photo = Image.fromarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
        photo = _in_mode(photo, mode)
        buffer = io.BytesIO()
        photo.save(buffer, image_format, **options)
        files[name] = buffer.getvalue()
    return files


def _in_mode(photo: Image.Image, mode: str) -> Image.Image:
    if mode == _DEEP_GRAY:
        gray = np.asarray(photo.convert("L")).astype(np.uint16) * 257
        gray[0, 0] = 65535  # otherwise a dark photo may pass for one of 12 bits
        return Image.fromarray(gray)
    converted = photo.convert(mode)
    if mode in ("LA", "RGBA"):
        # Transparent pixels have a color other than the white that is seen.
        converted.putalpha(photo.convert("L").point(lambda v: _WHITE_LEVEL - v))
    return converted


def _forms() -> Iterator[tuple[str, str, str, dict]]:
    """Name, format, Pillow's mode, and options of saving."""
    for orientation in range(2, 9):
        exif = Image.Exif()
        exif[_ORIENTATION] = orientation
        yield (
            f"a JPEG with EXIF orientation {orientation}",
            "JPEG",
            "RGB",
            {"exif": exif},
        )
    yield "a rotated PNG", "PNG", "RGB", {"exif": exif}
    yield "a transparent PNG", "PNG", "RGBA", {}
    yield "a gray transparent PNG", "PNG", "LA", {}
    yield "a PNG with a palette", "PNG", "P", {}
    yield "a transparent palette", "PNG", "P", {"transparency": bytes(range(128))}
    yield "a 16-bit PNG", "PNG", _DEEP_GRAY, {}
    yield "a progressive JPEG", "JPEG", "RGB", {"progressive": True}
    yield "a gray JPEG", "JPEG", "L", {}
    yield "a CMYK JPEG", "JPEG", "CMYK", {}
    yield "a GIF", "GIF", "P", {}
    yield "a transparent GIF", "GIF", "P", {"transparency": 7}
    yield "a BMP with a palette", "BMP", "P", {}
    yield "a BMP", "BMP", "RGB", {}
