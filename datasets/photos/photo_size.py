"""How many pixels an encoded image makes, from its headers, before it is decoded.

A few kilobytes can stand for gigapixels: what is decoded is asked for its size first.
"""

import struct

_MOST = (1 << 63) - 1  # a PNG may claim more, and int64 hold no more
_WEBP_HEADER_BYTES = 30
_GIF_EXTENSION, _GIF_IMAGE = 0x21, 0x2C


def num_pixels(encoded: bytes) -> int:
    """The pixels that decoding takes room for, of all images in a GIF together.

    Args:
      encoded: a PNG, GIF, BMP or WebP file.

    Returns:
      Their number; 0 for what is nothing of the kind, or ends within its header.
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
    # A BMP of negative height is stored downwards.
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
    """Those of all images: TensorFlow's decoder reads all before it gives the first."""
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
    """Bytes of the color table that a GIF's flags announce."""
    return 3 << (packed & 7) + 1 if packed & 0x80 else 0


def _after_blocks(encoded: bytes, at: int) -> int:
    """The place after a chain of blocks, each behind its length, ended by a 0."""
    while at < len(encoded) and encoded[at]:
        at += 1 + encoded[at]
    return at + 1
