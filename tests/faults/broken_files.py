"""Broken and odd files, one for each number, by a rule that never changes."""

import io
import os
import pathlib
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

Rng = np.random.Generator

CLASSES = ("a", "b")
_PIECES = 50  # a file is truncated at every fiftieth of its length


def write(folder: pathlib.Path, number: int) -> tuple[str, str]:
    """Writes file `number` into the folder of its class.

    Args:
      folder: holds a folder for each of `CLASSES`, and `outside.png` next to them.
      number: decides everything.

    Returns:
      Its kind, and its path relative to `folder`.
    """
    rng = np.random.default_rng(number)
    kinds = list(_CONTENTS) + list(_ENTRIES)
    kind = kinds[number % len(kinds)]
    path = folder / CLASSES[int(rng.integers(2))] / f"{number}.jpg"
    if kind in _CONTENTS:
        path.write_bytes(_CONTENTS[kind](rng, number // len(kinds)))
    else:
        path = _ENTRIES[kind](path)
    return kind, str(path.relative_to(folder))


def sound(rng: Rng, form: int) -> bytes:
    """A small photo in one of the formats that are read."""
    width, height = rng.integers(8, 40, 2)
    pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
    file_format, options = _FORMATS[form % len(_FORMATS)]
    return _encode(Image.fromarray(pixels), file_format, **options)


_FORMATS: tuple[tuple[str, dict[str, object]], ...] = (
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("PNG", {}),
    ("GIF", {}),
    ("BMP", {}),
    ("WEBP", {"lossless": True}),
    ("TIFF", {"compression": "tiff_lzw"}),
)


def _encode(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def _truncated_jpeg(rng: Rng, turn: int) -> bytes:
    data = sound(rng, turn // _PIECES % 2)
    return data[: len(data) * (turn % _PIECES) // _PIECES]


def _truncated(rng: Rng, turn: int) -> bytes:
    data = sound(rng, turn)
    return data[: int(rng.integers(len(data)))]


def _flipped(rng: Rng, turn: int) -> bytes:
    data = bytearray(sound(rng, turn))
    for place in rng.integers(0, len(data), 1 + turn % 8):
        data[place] ^= 1 << int(rng.integers(8))
    return bytes(data)


def _spliced(rng: Rng, turn: int) -> bytes:
    head, tail = sound(rng, turn), sound(rng, turn + 1)
    return head[: len(head) // 2] + tail[len(tail) // 2 :]


def _noise(rng: Rng, turn: int) -> bytes:
    start = sound(rng, turn)[: int(rng.integers(24))]
    return start + rng.bytes(int(rng.integers(1, 2000)))


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def _bomb(rng: Rng, turn: int) -> bytes:
    """A PNG of a few kB that claims, and in part holds, gigapixels."""
    side = 20_000 * (1 + turn % 5)
    bits, colour = ((1, 0), (8, 2), (16, 6))[turn % 3]
    header = struct.pack(">IIBBBBB", side, side, bits, colour, 0, 0, 0)
    rows = zlib.compress(bytes(int(rng.integers(1, 1_000_000))), 9)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _text_bomb(rng: Rng, turn: int) -> bytes:
    """A sound PNG with a compressed comment of many megabytes."""
    data = sound(rng, 2)
    comment = b"c\0\0" + zlib.compress(bytes(10_000_000 * (1 + turn % 3)), 9)
    return data[:33] + _chunk(b"zTXt", comment) + data[33:]


def _of_mode(mode: str, file_format: str) -> Callable[[Rng, int], bytes]:
    def make(rng: Rng, turn: int) -> bytes:
        del turn
        pixels = rng.integers(0, 256, (12, 16, 3), np.uint8)
        return _encode(Image.fromarray(pixels).convert(mode), file_format)

    return make


def _sixteen_bit(rng: Rng, turn: int) -> bytes:
    pixels = rng.integers(0, 1 << 16, (9, 11)).astype(np.uint16)
    return _encode(Image.fromarray(pixels), ("PNG", "TIFF")[turn % 2])


def _one_pixel(rng: Rng, turn: int) -> bytes:
    pixels = rng.integers(0, 256, (1, 1, 3), np.uint8)
    file_format, options = _FORMATS[turn % len(_FORMATS)]
    return _encode(Image.fromarray(pixels), file_format, **options)


_CONTENTS: dict[str, Callable[[Rng, int], bytes]] = {
    "sound": sound,
    "JPEG cut at n/50": _truncated_jpeg,
    "cut anywhere": _truncated,
    "bits flipped": _flipped,
    "two files in one": _spliced,
    "noise": _noise,
    "PNG bomb": _bomb,
    "PNG comment bomb": _text_bomb,
    "CMYK JPEG": _of_mode("CMYK", "JPEG"),
    "transparent": _of_mode("RGBA", "PNG"),
    "palette": _of_mode("P", "PNG"),
    "float TIFF": _of_mode("F", "TIFF"),
    "16 bit": _sixteen_bit,
    "1×1": _one_pixel,
    "0 bytes": lambda rng, turn: b"",
}


def _directory(path: pathlib.Path) -> pathlib.Path:
    path.mkdir()
    return path


def _dangling_link(path: pathlib.Path) -> pathlib.Path:
    path.symlink_to("nowhere")
    return path


def _link_to_itself(path: pathlib.Path) -> pathlib.Path:
    path.symlink_to(path.name)
    return path


def _link_out_of_the_tree(path: pathlib.Path) -> pathlib.Path:
    path.symlink_to(path.parent.parent.parent / "outside.png")
    return path


def _no_permission(path: pathlib.Path) -> pathlib.Path:
    """Unreadable by its owner; root, whom that does not stop, gets it damaged."""
    path.write_bytes(b"\xff\xd8\xff" + path.name.encode())
    path.chmod(0)
    return path


def _fifo(path: pathlib.Path) -> pathlib.Path:
    os.mkfifo(path)
    return path


def _odd_name(path: pathlib.Path) -> pathlib.Path:
    """A name that is no UTF-8, with a line break and a comma."""
    number = int(path.stem)
    name = b"\xff\n,\"'" + str(number).encode() + b".jpg"
    odd = path.with_name(os.fsdecode(name))
    odd.write_bytes(sound(np.random.default_rng(number), number))
    return odd


_ENTRIES: dict[str, Callable[[pathlib.Path], pathlib.Path]] = {
    "directory": _directory,
    "dangling link": _dangling_link,
    "link to itself": _link_to_itself,
    "link out of the tree": _link_out_of_the_tree,
    "no permission": _no_permission,
    "pipe": _fifo,
    "odd name": _odd_name,
}
