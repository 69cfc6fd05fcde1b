"""The number of pixels of an encoded image by its headers, before decoding.

A few kilobytes can stand for gigapixels, so the size is checked before decoding.
"""

import struct

_MOST = (1 << 63) - 1  # a PNG may claim more; int64 cannot hold more
_WEBP_HEADER_BYTES = 30
_GIF_EXTENSION, _GIF_IMAGE = 0x21, 0x2C


def num_pixels(encoded: bytes) -> int:
    """The number of pixels that decoding allocates, over all images of a GIF.

    Args:
      encoded: a PNG, GIF, BMP or WebP file.

    Returns:
      Their number; 0 for other formats and truncated headers.
    """
    try:
        if encoded.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height = struct.unpack_from(">II", encoded, 16)
        elif encoded.startswith((b"GIF87a", b"GIF89a")):
            return _gif_pixels(encoded)
        elif encoded.startswith(b"BM"):
            width, height = struct.unpack_from("<ii", encoded, 18)
        elif encoded[:4] == b"RIFF" and len(encoded) >= _WEBP_HEADER_BYTES:
            width, height = _webp_size(encoded)
        else:
            return 0
    except (struct.error, IndexError):
        return 0
    # A BMP of negative height is stored top-down.
    return min(abs(width) * abs(height), _MOST)


def _webp_size(encoded: bytes) -> tuple[int, int]:
    """Width and height by https://developers.google.com/speed/webp/docs/riff_container."""
    match encoded[12:16]:
        case b"VP8X":
            width = int.from_bytes(encoded[24:27], "little") + 1
            height = int.from_bytes(encoded[27:30], "little") + 1
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", encoded, 21)
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width, height = (
                side & 0x3FFF for side in struct.unpack_from("<HH", encoded, 26)
            )
        case _:
            width = height = 0
    return width, height


def _gif_pixels(encoded: bytes) -> int:
    """The pixels of all images: TensorFlow decodes all to return the first."""
    screen = struct.unpack_from("<HH", encoded, 6)
    total = 0
    at = 13 + _color_table(encoded[10])
    while at < len(encoded):
        if encoded[at] == _GIF_IMAGE:
            width, height, packed = struct.unpack_from("<HHB", encoded, at + 5)
            total += width * height
            at = _after_blocks(encoded, at + 10 + _color_table(packed) + 1)
        elif encoded[at] == _GIF_EXTENSION:
            at = _after_blocks(encoded, at + 2)
        else:
            break
    return max(total, screen[0] * screen[1])


def _color_table(packed: int) -> int:
    """The size in bytes of the color table stated by a GIF's flags."""
    return 3 << (packed & 7) + 1 if packed & 0x80 else 0


def _after_blocks(encoded: bytes, at: int) -> int:
    """The offset after a chain of length-prefixed blocks that ends with a 0."""
    while at < len(encoded) and encoded[at]:
        at += 1 + encoded[at]
    return at + 1
