"""Photos of 16 and 32 bits a channel: read as what they are, or not at all."""

import itertools
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from datasets.photos.deep_photo import Depth
from datasets.photos.photo_codec import normalize
from datasets.photos.unfit_photos import (
    TooFewBitsError,
    UnclearBitsError,
    UnfitPhotoError,
)
from tests.convert.sample_photos import encode
from tests.datasets.photos.photo_codec_test import png


def values(bits, channels, seed=0):
    """Values that use all of so many bits, [4, 6, channels]."""
    shape = (4, 6, channels)
    found = np.random.default_rng(seed).integers(0, 1 << bits, shape, np.uint32)
    found.flat[:2] = (1 << bits) - 1, 1
    return found


def png16(pixels, *chunks):
    """A PNG file of 16 bits a channel."""
    height, width, channels = pixels.shape
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return png(height, width, 16, colour_type, rows, *chunks)


def tiff(pixels, order="<", *, dtype="u2", deflated=False, planes=False, **tags):
    """A TIFF file by hand, since Pillow writes only some kinds.

    Args:
      pixels: [height, width, channels].
      order: "<" for Intel's order of bytes, ">" for Motorola's.
      dtype: "u2", "u4", "i2", "i4" or "f4".
      deflated: compressed, or as it is.
      planes: a plane for each channel.
      tags: further ones by number, as _262=[0].
    """
    height, width, channels = pixels.shape
    pixels = pixels.astype(order + dtype)
    bits = 8 * pixels.itemsize
    strips = [pixels.tobytes()]
    if planes:
        strips = [pixels[..., i].tobytes() for i in range(channels)]
    if deflated:
        strips = [zlib.compress(strip) for strip in strips]
    starts = itertools.accumulate([1000, *map(len, strips[:-1])])
    entries = {
        256: [width],
        257: [height],
        258: [bits] * channels,
        259: [8 if deflated else 1],
        262: [1 if channels == 1 else 2],
        273: list(starts),
        277: [channels],
        278: [height],
        279: list(map(len, strips)),
        284: [2 if planes else 1],
        339: [{"u": 1, "i": 2, "f": 3}[dtype[0]]] * channels,
    }
    if channels == 4:
        entries[338] = [2]  # opacity
    entries |= {int(tag[1:]): value for tag, value in tags.items()}
    head, tail = b"", b""
    for tag, entry in sorted(entries.items()):
        if isinstance(entry, bytes):
            kind, raw = 2, entry
        else:
            kind, raw = 4, struct.pack(f"{order}{len(entry)}I", *entry)
        head += struct.pack(f"{order}HHI", tag, kind, len(entry))
        if len(raw) > 4:
            place = 8 + 2 + 12 * len(entries) + 4 + len(tail)
            tail, raw = tail + raw, struct.pack(f"{order}I", place)
        head += raw.ljust(4, b"\0")
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    start += struct.pack(f"{order}H", len(entries)) + head + bytes(4) + tail
    return start.ljust(1000, b"\0") + b"".join(strips)


def read(data, **options):
    """What training will see, [4, 6, 3]."""
    photo = normalize(data, **options)
    assert photo.format == "png"
    return tf.io.decode_png(photo.encoded, channels=3).numpy()


FILES = {
    "PNG": png16,
    **{
        f"TIFF {order} {'deflated' * deflated} {'planes' * planes}": (
            lambda pixels, o=order, d=deflated, p=planes: tiff(
                pixels, o, deflated=d, planes=p
            )
        )
        for order in "<>"
        for deflated in (False, True)
        for planes in (False, True)
    },
}

KINDS = [
    (kind, channels)
    for kind in FILES
    for channels in (1, 3, 4)
    if channels > 1 or "planes" not in kind
]


@pytest.mark.parametrize(("kind", "channels"), KINDS)
def test_all_bits_are_read_in_every_file(kind, channels):
    pixels = values(16, channels)
    if channels == 4:
        pixels[..., 3] = 65535
    expected = np.broadcast_to(pixels[..., :3] >> 8, (4, 6, 3))
    np.testing.assert_array_equal(read(FILES[kind](pixels)), expected)


@pytest.mark.parametrize(("kind", "channels"), KINDS)
@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_fewer_bits_are_asked_for_and_read_as_told(kind, channels, bits):
    pixels = values(bits, channels)
    if channels == 4:
        pixels[..., 3] = 65535
    data = FILES[kind](pixels)
    if "deflated planes" in kind:
        with pytest.raises(UnfitPhotoError, match="separate planes"):
            normalize(data)
        return
    with pytest.raises(UnclearBitsError, match=f"of {bits} bits, or a dark one of 16"):
        normalize(data)
    expected = np.broadcast_to(pixels[..., :3] >> (bits - 8), (4, 6, 3))
    np.testing.assert_array_equal(read(data, bits=bits), expected)
    assert normalize(data, bits=bits).depth == Depth(bits, bits)
    np.testing.assert_array_equal(read(data, bits=16)[..., 0], pixels[..., 0] >> 8)
    if bits > 8:
        words = f"go to {(1 << bits) - 1}, and those of --bits={bits - 1} .* --bits="
        with pytest.raises(TooFewBitsError, match=f"{words}{bits}"):
            normalize(data, bits=bits - 1)


@settings(deadline=None, max_examples=40)
@given(st.integers(8, 16), st.sampled_from([1, 3]), st.integers(0, 99))
def test_the_files_of_a_photo_are_read_alike(bits, channels, seed):
    pixels = values(bits, channels, seed)
    one, other = (read(FILES[kind](pixels), bits=bits) for kind in ("PNG", "TIFF <  "))
    np.testing.assert_array_equal(one, other)


def test_black_is_black_of_any_bits():
    assert not read(png16(np.zeros((4, 6, 1)))).any()


SIGNIFICANT = [(b"sBIT", b"\x0c")]
OME = b'<OME><Pixels SignificantBits="12" Type="uint16"/></OME>\0'


@pytest.mark.parametrize(
    "data",
    [
        png16(values(12, 1), *SIGNIFICANT),
        png16(values(12, 3), (b"sBIT", b"\x0c\x0a\x0c")),
        png16(values(12, 2), (b"sBIT", b"\x0c\x10")),
        tiff(values(12, 1), _281=[4095]),
        tiff(values(12, 3), ">", _281=[4095, 4095, 4095]),
        tiff(values(12, 1), _50717=[4095]),
        tiff(values(12, 1), _270=OME),
    ],
)
def test_a_file_may_say_its_bits(data):
    photo = normalize(data)
    assert photo.depth is None
    seen = tf.io.decode_png(photo.encoded, channels=3).numpy()
    np.testing.assert_array_equal(seen[..., 0].max(), 255)
    assert normalize(data, bits=16).encoded == photo.encoded


def test_what_a_file_says_is_believed_only_if_it_can_be_true():
    # By PNG's standard 12 bits are scaled to 16: then the lowest four are empty.
    scaled = values(12, 1) << 4
    np.testing.assert_array_equal(
        read(png16(scaled, *SIGNIFICANT))[..., :1], scaled >> 8
    )
    dark = values(8, 1) << 4
    with pytest.raises(UnclearBitsError):
        normalize(png16(dark, *SIGNIFICANT))
    for white in (65535, 4000, 255):  # the container's, the largest value's, too small
        with pytest.raises(UnclearBitsError):
            normalize(tiff(values(12, 1), _281=[white]))


def test_twelve_bits_without_gaps_are_twelve():
    pixels = values(12, 1)
    first, second = pixels[:, ::2, 0], pixels[:, 1::2, 0]
    packed = np.stack(
        [first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=-1
    )
    data = tiff(packed.reshape(4, 9, 1), dtype="u1", _256=[6], _258=[12])
    np.testing.assert_array_equal(read(data)[..., :1], pixels >> 4)


def test_opacity_has_its_own_bits():
    pixels = values(12, 4)
    pixels[..., 3] = 65535
    pixels[0, 0, 3] = 0
    expected = pixels[..., :3] >> 4
    expected[0, 0] = 255
    np.testing.assert_array_equal(read(png16(pixels), bits=12), expected)
    pixels[..., 3] >>= 4
    np.testing.assert_array_equal(read(tiff(pixels), bits=12), expected)
    grey = pixels[..., [0, 3]]
    expected = np.repeat(expected[..., :1], 3, axis=2)
    np.testing.assert_array_equal(read(png16(grey), bits=12), expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_colour_that_is_transparent_is_white(channels):
    pixels = values(16, channels)
    colour = struct.pack(f">{channels}H", *pixels[2, 3])
    expected = np.broadcast_to(pixels >> 8, (4, 6, 3)).copy()
    expected[2, 3] = 255
    np.testing.assert_array_equal(read(png16(pixels, (b"tRNS", colour))), expected)


def test_white_may_be_zero():
    pixels = values(12, 1)
    data = tiff(pixels, _262=[0])
    np.testing.assert_array_equal(read(data, bits=12)[..., :1], 255 - (pixels >> 4))


def test_a_deep_photo_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = values(16, 1)[..., 0].astype(np.uint16)
    seen = read(encode(pixels, "PNG", exif=exif))
    np.testing.assert_array_equal(seen[..., 0], np.rot90(pixels >> 8, -1))


def grey(*numbers, dtype):
    """Values repeated to [4, 6, 1]."""
    return np.resize(np.array(numbers, dtype), (4, 6, 1))


@pytest.mark.parametrize(
    ("pixels", "bits", "reason"),
    [
        (
            grey(0, 4000, dtype="u4"),
            None,
            "32 bits per channel, unsigned.* or 65535.*--b",
        ),
        (grey(0, 200, dtype="i4"), None, "32 bits per channel, signed.* 255 or 1023"),
        (grey(0, 200, dtype="i2"), None, "16 bits per channel, signed"),
        (grey(-3, 200, dtype="i2"), 12, "negative, down to -3"),
        (grey(-3, 200, dtype="i4"), None, "negative"),
        (grey(-0.5, 1, dtype="f4"), 8, "negative, down to -0.5"),
        (
            grey(0, 0.9, dtype="f4"),
            None,
            "may be 1 or 255 or .* or 65535; save it with 8",
        ),
        (grey(0, 0.9, dtype="f4"), 8, "may be 1 or 255"),
        (grey(0, 250, dtype="f4"), None, "floating-point, .* from 0 to 250: .*--bits"),
        (grey(0, np.nan, dtype="f4"), 8, "NaN or infinite"),
        (grey(0, np.inf, dtype="f4"), 8, "infinite"),
        (grey(0, 4000, dtype="u4"), 10, "--bits=12"),
        (grey(0, 4e9, dtype="u4"), 16, "negative"),  # as Pillow reads them
        (grey(0, 1e9, dtype="f4"), 16, "save it with"),
    ],
)
def test_values_whose_meaning_is_unknown(pixels, bits, reason):
    with pytest.raises(UnfitPhotoError, match=reason):
        normalize(tiff(pixels, dtype=pixels.dtype.str[1:]), bits=bits)


@pytest.mark.parametrize("dtype", ["u4", "i4", "i2", "f4"])
def test_bits_give_other_numbers_a_meaning(dtype):
    pixels = values(12, 1)
    seen = read(tiff(pixels, dtype=dtype), bits=12)
    np.testing.assert_array_equal(seen[..., :1], pixels >> 4)
