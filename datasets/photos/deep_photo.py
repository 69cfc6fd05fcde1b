"""Reduces photos of more than 8 bits per channel to 8.

A 16-bit file may hold fewer bits: sensors of microscopes and scanners have 10, 12 or
14, and many programs store their values unscaled, so that white is 4095 instead of
65535. Read as 16 bits, such a photo is almost black; read as 12 bits, a dark photo of
16 bits would be too bright. So a photo is read as 16 bits if its values need them, as
fewer if the file says so, and otherwise the user must decide.
"""

import dataclasses
import io
import re
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from datasets.photos.unfit_photos import (
    TooFewBitsError,
    UnclearBitsError,
    UnfitPhotoError,
)

FULL_BITS = 16
USUAL_BITS = (8, 10, 12, 14, FULL_BITS)
# TIFF 6.0, section 8 and 19; DNG 1.4; OME's schema.
_BITS, _PHOTOMETRIC, _DESCRIPTION, _MAX_VALUE = 258, 262, 270, 281
_PLANES, _EXTRA, _SAMPLE_FORMAT, _WHITE_LEVEL = 284, 338, 339, 50717
_OME_BITS = re.compile(r'SignificantBits="(\d+)"')
_UNCLEAR_BITS = 14  # photos that need no more may have fewer than 16
_LOW_BYTE = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}


@dataclasses.dataclass(frozen=True)
class Depth:
    """The bits per channel of a photo whose file does not state them.

    Attributes:
      read_as: number of bits it was read as.
      needed: the fewest of `USUAL_BITS` that its values need.
    """

    read_as: int
    needed: int


def is_deep(image: Image.Image, data: bytes) -> bool:
    """Whether a photo, opened but not loaded, has more than 8 bits per channel."""
    if image.format == "PNG":
        return data[24] == 16  # the bit depth in the header
    if image.format == "TIFF":
        return max(_tag(image, _BITS, (1,))) > 8
    return image.mode[0] in "IF"


def reduce(
    image: Image.Image, data: bytes, bits: int | None
) -> tuple[Image.Image, Depth | None]:
    """Reduces a photo to 8 bits per channel.

    Args:
      image: a deep image, opened but not loaded.
      data: bytes of its file.
      bits: bits per channel if the file does not state them; None: as many as the
        values need, if they need nearly all.

    Returns:
      The image, of mode L, RGB, RGBA or CMYK; its depth, None if the file states it.

    Raises:
      UnclearBitsError: it is either dark or has fewer bits.
      TooFewBitsError: values exceed what `bits` can hold.
      UnfitPhotoError: values are negative, NaN, infinite or of 32 bits.
    """
    if image.mode in ("L", "I", "F") or image.mode.startswith("I;16"):
        return _reduce_gray(image, data, bits)
    return _reduce_colors(image, data, bits)


def _reduce_gray(
    image: Image.Image, data: bytes, bits: int | None
) -> tuple[Image.Image, Depth | None]:
    image.load()
    values = np.asarray(image)
    if not image.mode.startswith("I;16"):
        values = _whole_numbers(values, image, bits)
    said = _said_bits(image, data, values)
    depth = _depth(int(values.max()), said, bits)
    num_bits = depth.read_as
    clear = _transparent(image, values[..., np.newaxis])
    if _tag(image, _PHOTOMETRIC, (1,))[0] == 0:  # TIFF: 0 is white
        values = (1 << num_bits) - 1 - values
    gray = (values >> (num_bits - 8)).astype(np.uint8)
    if clear is not None:
        gray[clear] = 255
    return Image.fromarray(gray), None if said else depth


def _whole_numbers(
    values: np.ndarray, image: Image.Image, bits: int | None
) -> np.ndarray:
    """Values of signed, 32-bit or floating-point channels, if they are valid."""
    if not np.isfinite(values).all():
        raise UnfitPhotoError("some of its values are NaN or infinite")
    low, high = float(values.min()), float(values.max())
    is_float = image.mode == "F"
    if low < 0:
        raise UnfitPhotoError(f"some of its values are negative, down to {low:g}")
    if not bits or (is_float and high <= 1):
        signed = _tag(image, _SAMPLE_FORMAT, (1,))[0] == 2
        kind = "floating-point" if is_float else "signed" if signed else "unsigned"
        remedy = "save it with 8 or 16 bits"
        if not (is_float and high <= 1):
            remedy += ", or give --bits"
        raise UnfitPhotoError(
            f"{max(_tag(image, _BITS, (32,)))} bits per channel, {kind}, with values"
            f" from {low:g} to {high:g}: white may be {_whites(high, is_float)};"
            f" {remedy}"
        )
    return np.rint(values).astype(np.int64)


def _whites(peak: float, is_float: bool = False) -> str:
    """The candidates for white in a photo whose largest value is `peak`."""
    whites = [1] * (is_float and peak <= 1)
    whites += [(1 << bits) - 1 for bits in USUAL_BITS if peak < 1 << bits]
    return " or ".join(map(str, whites)) or f"{peak:g} or more"


def _reduce_colors(
    image: Image.Image, data: bytes, bits: int | None
) -> tuple[Image.Image, Depth | None]:
    """The same for several channels, of which Pillow only returns the high bytes."""
    high = _bytes_of(image, data, low=False)
    colors = slice(4 if image.mode == "CMYK" else 3)
    needs_all = int(high[..., colors].max()) >= 1 << (_UNCLEAR_BITS - 8)
    if needs_all and bits in (None, FULL_BITS) and "transparency" not in image.info:
        return Image.fromarray(high, image.mode), Depth(FULL_BITS, FULL_BITS)
    values = high.astype(np.uint16) << 8 | _bytes_of(image, data, low=True)
    said = _said_bits(image, data, values[..., colors])
    depth = _depth(int(values[..., colors].max()), said, bits)
    eight = (values >> (depth.read_as - 8)).astype(np.uint8)
    if image.mode == "RGBA" and int(values[..., 3].max()) >= 1 << depth.read_as:
        eight[..., 3] = high[..., 3]  # opacity in 16 bits, whatever the colors have
    clear = _transparent(image, values)
    if clear is not None:
        eight[clear] = 255
    return Image.fromarray(eight, image.mode), None if said else depth


def _bytes_of(image: Image.Image, data: bytes, *, low: bool) -> np.ndarray:
    """One of the two bytes of each value, [height, width, channels] uint8.

    Pillow unpacks 16 bits to the high byte, for either byte order; with the wrong byte
    order, it returns the low byte.
    """
    again = Image.open(io.BytesIO(data), formats=[image.format or ""])
    order = "L" if data[:2] == b"II" else "B"
    is_gray_png = False
    tiles = []
    for tile in again.tile:
        if tile.codec_name == "libtiff" and low and not _has_low_bytes(image):
            raise UnfitPhotoError(
                "16 bits per channel in separate planes or multiplied by opacity; save"
                " it with 8 bits"
            )
        packed = isinstance(tile.args, tuple)
        name, _, depth = (tile.args[0] if packed else tile.args).partition(";")
        unpacked_as = depth[-1:] or order
        rest = tile.args[1:] if packed else ()
        raw_mode = f"{name};16{_LOW_BYTE[unpacked_as] if low else unpacked_as}"
        if name == "LA" and low:  # gray and opacity: two channels of two bytes
            raw_mode, is_gray_png = "RGBA", True
        tiles.append(tile._replace(args=(raw_mode, *rest) if packed else raw_mode))
    again.tile = tiles
    again.load()
    pixels = np.asarray(again)
    return pixels[..., [1, 1, 1, 3]] if is_gray_png else pixels


def _has_low_bytes(image: Image.Image) -> bool:
    """Whether libtiff returns whole pixels in the byte order of the file."""
    return _tag(image, _PLANES, (1,))[0] == 1 and _tag(image, _EXTRA, (2,))[0] != 1


def _said_bits(image: Image.Image, data: bytes, values: np.ndarray) -> int | None:
    """The number of bits the file states, if it can be true."""
    peak = int(values.max())
    if image.format == "PNG":
        bits = _significant_bits(data)
        # By the standard such values are scaled to 16 bits, which leaves the lowest
        # bits empty as long as the highest are: where they are not, none was scaled.
        scaled = not (values & ((1 << (FULL_BITS - bits)) - 1)).any()
        said = [] if scaled else [bits]
    else:
        said = list(_tags_of_bits(image))
    return next((b for b in said if 8 <= b < FULL_BITS and peak < 1 << b), None)


def _tags_of_bits(image: Image.Image) -> Iterator[int]:
    yield max(_tag(image, _BITS, (FULL_BITS,)))
    for tag in (_MAX_VALUE, _WHITE_LEVEL):
        white = int(max(_tag(image, tag, (0,))))
        if (
            white & (white + 1) == 0
        ):  # otherwise it is merely the largest value that occurs
            yield white.bit_length()
    found = _OME_BITS.search(str(_tag(image, _DESCRIPTION, ("",))[0]))
    if found:
        yield int(found[1])


def _significant_bits(data: bytes) -> int:
    """The largest of the bits in a PNG file's sBIT chunk; 16 without one."""
    at = 8
    while at + 8 <= len(data) and data[at + 4 : at + 8] != b"IDAT":
        size = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"sBIT":
            num_colors = 3 if data[25] & 2 else 1  # by the color type
            bits = max(data[at + 8 : at + 8 + min(size, num_colors)], default=0)
            return bits if 0 < bits < FULL_BITS else FULL_BITS
        at += 12 + size
    return FULL_BITS


def _depth(peak: int, said: int | None, bits: int | None) -> Depth:
    """The number of bits of values up to `peak`."""
    fitting = next((b for b in USUAL_BITS if peak < 1 << b), None)
    if said:
        return Depth(said, fitting or said)
    if bits and peak >= 1 << bits:
        remedy = f"give --bits={fitting}" if fitting else "save it with 16 bits"
        raise TooFewBitsError(
            f"its values go to {peak}, and those of --bits={bits} to"
            f" {(1 << bits) - 1}: {remedy}"
        )
    if not bits and 0 < peak < 1 << _UNCLEAR_BITS:
        raise UnclearBitsError(
            f"a 16-bit file with values up to {peak}: a photo of {fitting} bits, or a"
            f" dark one of 16; say which with --bits={fitting} or --bits=16"
        )
    return Depth(bits or FULL_BITS, fitting or FULL_BITS)


def _transparent(image: Image.Image, values: np.ndarray) -> np.ndarray | None:
    """Where a PNG file has its transparent color, [height, width] bool."""
    color = image.info.get("transparency")
    return None if color is None else (values == np.asarray(color)).all(axis=-1)


def _tag(image: Image.Image, number: int, default: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values of a tag in a TIFF file."""
    tags = getattr(image, "tag_v2", {})
    value = tags.get(number, default)
    return value if isinstance(value, tuple) else (value,)
