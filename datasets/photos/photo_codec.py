"""Checks one photo; its bytes are kept if TensorFlow reads them as people see them.

Kept: 8-bit grayscale or RGB, JPEG (baseline or progressive, upright by its EXIF) or PNG
(no palette, transparency or animation). All else that Pillow can read is decoded,
turned upright, put on white if transparent, reduced to 8 bits, and encoded again: as
PNG if the original is lossless, otherwise as JPEG of quality 95 without subsampling.
"""

import contextlib
import ctypes
import dataclasses
import functools
import io
import struct
import warnings
from collections.abc import Iterator

from PIL import Image, ImageOps

from datasets.photos import camera_raw, deep_photo, file_heads, photo_bytes
from datasets.photos.deep_photo import Depth
from datasets.photos.unfit_photos import TooLargePhotoError, UnfitPhotoError
from errors import one_line

# Pillow supports more formats, some of which run other programs. Its JPEG reader also
# opens MPO, a JPEG followed by further pictures.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "AVIF")
# 12000 × 9000 from a phone is 108 million: a JPEG, of which training and evaluation
# decode what they need. Others are decoded whole, as 8 bits and then as float32.
MAX_PIXELS = 128_000_000
MAX_PIXELS_DECODED_WHOLE = 64_000_000
_ORIENTATION = 0x0112
# Baseline, extended and progressive with Huffman codes.
_JPEG_FRAMES = (0xC0, 0xC1, 0xC2)


@dataclasses.dataclass(frozen=True)
class StoredPhoto:
    """A photo as stored in a TFRecord.

    Attributes:
      encoded: the bytes to store.
      format: "jpg" or "png".
      height: in pixels.
      width: in pixels.
      depth: depth of a photo with more than 8 bits per channel whose file does not
        state it; None for all others.
    """

    encoded: bytes
    format: str
    height: int
    width: int
    depth: Depth | None = None


def read(path: str, bits: int | None = None) -> StoredPhoto:
    """Reads the photo in a file as the converter would store it.

    Args:
      path: the file.
      bits: see `deep_photo.reduce`.

    Raises:
      UnfitPhotoError: it cannot be read, is damaged or of an unsupported format.
    """
    return normalize(photo_bytes.read(path), bits=bits)


def normalize(
    data: bytes, *, max_side: int = 0, bits: int | None = None
) -> StoredPhoto:
    """Checks a photo by decoding all of it, and encodes it again if necessary.

    Photos that may be kept are decoded by TensorFlow alone; Pillow decodes those that
    need a change and those that TensorFlow, which is stricter, rejects.

    Args:
      data: bytes of the file.
      max_side: photos with a longer side are scaled down to it, in pixels; 0 scales
        none.
      bits: see `deep_photo.reduce`.

    Returns:
      The photo, which TensorFlow is known to decode; `encoded` is `data` itself if it
      is kept.

    Raises:
      UnfitPhotoError: it is not a photo, damaged, too large or of unclear bit depth;
        see the classes in `unfit_photos`.
    """
    _silence_libtiff()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd metadata: only the pixels matter
        image = _open(data)
        shrinks = bool(max_side) and max(image.size) > max_side
        try:
            photo = None if shrinks else _kept(image, data)
            return photo or _reencode(image, data, max_side if shrinks else 0, bits)
        except UnfitPhotoError:
            raise
        except Exception as error:  # decoders raise anything, even SyntaxError
            raise UnfitPhotoError(_words(error)) from error


def _open(data: bytes) -> Image.Image:
    file_heads.check(data[: file_heads.NUM_BYTES])
    if data[:2] in (b"II", b"MM") and camera_raw.is_raw(data):
        raise UnfitPhotoError(file_heads.RAW)
    try:
        with pillows_limit_lifted():
            image = Image.open(io.BytesIO(data), formats=_formats())
    except Image.UnidentifiedImageError as error:
        raise UnfitPhotoError(
            "damaged, or of a kind that Pillow cannot read"
        ) from error
    except Exception as error:  # as above
        raise UnfitPhotoError(_words(error)) from error
    if image.width * image.height > max_pixels(is_jpeg=is_jpeg(image)):
        size = f"{image.width} × {image.height} pixels"
        raise TooLargePhotoError(f"{size}; {explain_limit(is_jpeg=is_jpeg(image))}")
    return image


@contextlib.contextmanager
def pillows_limit_lifted() -> Iterator[None]:
    """Lets Pillow open images of any size, since the limit here is our own."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def max_pixels(*, is_jpeg: bool) -> int:
    """The maximum number of pixels of a photo."""
    return MAX_PIXELS if is_jpeg else MAX_PIXELS_DECODED_WHOLE


def explain_limit(*, is_jpeg: bool) -> str:
    """The limit in words."""
    scope = "for JPEG" if is_jpeg else "for all formats but JPEG"
    limit = max_pixels(is_jpeg=is_jpeg) // 1_000_000
    return f"the limit {scope} is {limit} million pixels"


def _formats() -> tuple[str, ...]:
    """The supported formats, after loading their plugins."""
    Image.init()
    return (*_FORMATS, "HEIF") if file_heads.reads_heic() else _FORMATS


@functools.cache
def _silence_libtiff() -> None:
    """Keeps libtiff, which is part of Pillow, from writing to the terminal.

    Pillow raises its errors as exceptions.
    """
    with contextlib.suppress(OSError, AttributeError):  # a Pillow built differently
        library = ctypes.CDLL(Image.core.__file__)
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)


def is_jpeg(image: Image.Image) -> bool:
    """Whether an image was opened from a JPEG file."""
    return image.format in ("JPEG", "MPO")


def _kept(image: Image.Image, data: bytes) -> StoredPhoto | None:
    """The photo unchanged, if TensorFlow decodes its bytes as Pillow does."""
    if not _is_plain(image, data):
        return None
    width, height = image.size
    if image.format == "PNG" and not _ends_with_pixels(data):
        image.load()  # later chunks may turn the pixels, or make some transparent
    if _orientation(image) != 1 or not _is_plain(image, data):
        return None
    photo = StoredPhoto(data, "jpg" if is_jpeg(image) else "png", height, width)
    return photo if _training_decodes(photo) else None


def _training_decodes(photo: StoredPhoto) -> bool:
    # Imported late: it takes seconds to load, and not every caller needs it.
    from datasets.photos import training_decoder

    return training_decoder.takes(photo.encoded, photo.format)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 (upright) if it is unclear."""
    try:
        # PNG's own getexif decodes the pixels first, which has been done if it matters.
        value = Image.Image.getexif(image).get(_ORIENTATION, 1)
    except Exception:  # damaged metadata of an intact image
        return 1
    return value if value in range(1, 9) else 1


def _is_plain(image: Image.Image, data: bytes) -> bool:
    """Whether TensorFlow decodes the bytes to the pixels that Pillow shows."""
    if image.mode not in ("L", "RGB"):
        return False
    if is_jpeg(image):
        return _jpeg_frame(data) in _JPEG_FRAMES
    if image.format != "PNG":
        return False
    bit_depth, color_type = data[24], data[25]  # the header comes first, at byte 8
    animated = getattr(image, "is_animated", False)
    see_through = "transparency" in image.info
    return bit_depth == 8 and color_type in (0, 2) and not (animated or see_through)


def _jpeg_frame(data: bytes) -> int | None:
    """The start-of-frame marker, which states how a JPEG is coded."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return marker
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None


def _ends_with_pixels(data: bytes) -> bool:
    """Whether nothing follows the pixels of a PNG but the end."""
    at, has_pixels = 8, False
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IEND":
            return has_pixels
        if has_pixels and kind != b"IDAT":
            return False
        has_pixels = kind == b"IDAT"
        at += 12 + size
    return False


def _reencode(
    image: Image.Image, data: bytes, max_side: int, bits: int | None
) -> StoredPhoto:
    if deep_photo.is_deep(image, data):
        photo = _encode_deep(image, data, max_side, bits)
    else:
        if max_side:
            # A JPEG can be decoded at 1/2, 1/4 or 1/8; twice the size suffices.
            image.draft(image.mode, (2 * max_side, 2 * max_side))
        image.load()
        photo = _encode(image, _is_lossless(image, data), max_side)
    if not _training_decodes(photo):
        raise UnfitPhotoError(
            f"{photo.width} × {photo.height} pixels, which TensorFlow does not decode"
            f" from {photo.format.upper()}"
        )
    return photo


def _encode_deep(
    image: Image.Image, data: bytes, max_side: int, bits: int | None
) -> StoredPhoto:
    is_lossless = _is_lossless(image, data)
    reduced, depth = deep_photo.reduce(image, data, bits)
    if image.format == "PNG":
        image.load()  # its EXIF may follow the pixels
    reduced.getexif()[_ORIENTATION] = _orientation(image)
    photo = _encode(reduced, is_lossless, max_side)
    return dataclasses.replace(photo, depth=depth)


def _encode(image: Image.Image, lossless: bool, max_side: int) -> StoredPhoto:
    image = _plain(ImageOps.exif_transpose(image))
    if max_side:
        image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    image.info = {}  # metadata that described the old file
    buffer = io.BytesIO()
    if lossless:
        image.save(buffer, "PNG")
    else:
        image.save(buffer, "JPEG", quality=95, subsampling=0)
    suffix = "png" if lossless else "jpg"
    return StoredPhoto(buffer.getvalue(), suffix, image.height, image.width)


def _is_lossless(image: Image.Image, data: bytes) -> bool:
    if image.format in ("AVIF", "HEIF"):
        return False
    if image.format == "WEBP":
        return b"VP8L" in data  # a false match merely stores a larger file
    if image.format == "TIFF":
        return image.info.get("compression") not in ("jpeg", "tiff_jpeg", "webp")
    return not is_jpeg(image)


def _plain(image: Image.Image) -> Image.Image:
    """The image in mode L or RGB, on white if transparent."""
    if image.has_transparency_data or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _words(error: Exception) -> str:
    return f"it cannot be decoded: {one_line(error)}"
