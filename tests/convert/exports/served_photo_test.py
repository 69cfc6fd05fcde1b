"""A graph reads photos' files as conversion, training and prediction do."""

import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from convert.exports import export_photos, served_photo
from datasets.photos import photo_codec
from tests.convert.sample_photos import encode, pixels

PHOTO = Image.fromarray(pixels(0)).resize((70, 48), Image.Resampling.BICUBIC)
RGB = np.asarray(PHOTO)
JPEG = encode(PHOTO, "JPEG")
NORMALIZE = tf.function(
    served_photo.normalize, input_signature=[tf.TensorSpec([], tf.string)]
)


def served(data: bytes, channels: int) -> np.ndarray:
    return decoded(NORMALIZE(tf.constant(data)), channels)


def predicted(data: bytes, channels: int) -> np.ndarray:
    fit = photo_codec.normalize(data)
    return decoded(fit.encoded, channels)


def decoded(data, channels: int) -> np.ndarray:
    return tf.io.decode_image(data, channels, expand_animations=False).numpy()


def exif(orientation: int, kind: int = 3, order: str = "<") -> bytes:
    """TIFF with two entries, the second one the orientation."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    short = "HH" if kind == 3 else "I"
    value = (orientation, 0) if kind == 3 else (orientation,)
    start = struct.pack(f"{order}I12xHHHIHH", 20, 2, 0x010F, 3, 1, 9, 0)
    entry = struct.pack(f"{order}HHI{short}I", 0x0112, kind, 1, *value, 0)
    return mark + start + entry


def with_segment(content: bytes, marker: int = 0xE1, jpeg: bytes = JPEG) -> bytes:
    header = struct.pack(">BBH", 0xFF, marker, len(content) + 2)
    return jpeg[:2] + header + content + jpeg[2:]


def xmp(text: str) -> bytes:
    return b"http://ns.adobe.com/xap/1.0/\0" + text.encode()


def _metadata() -> dict[str, bytes]:
    mark = b"Exif\0\0"
    turned = with_segment(mark + exif(6))
    files = {
        **{f"orientation {n}": with_segment(mark + exif(n)) for n in range(11)},
        "big end first": with_segment(mark + exif(5, order=">")),
        "a long": with_segment(mark + exif(8, kind=4)),
        "a long, big end first": with_segment(mark + exif(8, kind=4, order=">")),
        "a type that is none": with_segment(mark + exif(6, kind=2)),
        "no TIFF": with_segment(mark + b"XX" + exif(6)[2:]),
        "cut short": with_segment(mark + exif(6)[:40]),
        "empty": with_segment(mark),
        "marked twice": with_segment(mark * 2 + exif(6)),
        "two segments": with_segment(mark + exif(3), jpeg=turned),
        "a fill byte": turned[:2] + b"\xff" + turned[2:],
        "in a comment": with_segment(mark + exif(6), marker=0xFE),
        "behind the end": JPEG + mark + exif(6),
        "XMP": with_segment(xmp('<x tiff:Orientation="3"/>')),
        "XMP's element": with_segment(xmp("<tiff:Orientation>8</tiff:Orientation>")),
        "XMP and EXIF": with_segment(xmp('tiff:Orientation="3"'), jpeg=turned),
        "two pictures": encode(
            PHOTO, "MPO", save_all=True, append_images=[PHOTO.rotate(180)]
        ),
    }
    grey = encode(PHOTO.convert("L"), "JPEG")
    files["grey"] = with_segment(mark + exif(7), jpeg=grey)
    cmyk = np.random.default_rng(0).integers(0, 256, (4, 5, 4), dtype=np.uint8)
    inks = Image.fromarray(cmyk, "CMYK").resize((70, 48))
    files["CMYK"] = encode(PHOTO.convert("CMYK"), "JPEG")
    at = files["CMYK"].index(b"\xff\xee\x00\x0eAdobe")
    files["CMYK not by Adobe"] = files["CMYK"][:at] + files["CMYK"][at + 16 :]
    files["inks"] = encode(inks, "JPEG", quality=100, subsampling=0)
    return files


def png(
    colour: int, depth: int, samples: np.ndarray, *chunks: tuple[bytes, bytes]
) -> bytes:
    """A PNG of samples, [height, width, …], of `depth` bits."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    rows = samples.reshape(len(samples), -1)
    bits = (rows[..., np.newaxis] >> np.arange(depth)[::-1]) & 1
    packed = np.packbits(bits.reshape(len(rows), -1).astype(np.uint8), axis=1)
    body = b"".join(b"\0" + row.tobytes() for row in packed)
    header = struct.pack(
        ">IIBBBBB", samples.shape[1], len(rows), depth, colour, 0, 0, 0
    )
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(body)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def _pngs() -> dict[str, bytes]:
    random = np.random.default_rng(1)
    palette = (b"PLTE", random.integers(0, 256, 48, dtype=np.uint8).tobytes())
    files = {}
    for depth in (1, 2, 4, 8, 16):
        grey = random.integers(0, 2**depth, (9, 13))
        files[f"grey {depth}"] = png(0, depth, grey)
        for value in (0, int(grey[3, 3])) if depth < 16 else ():
            clear = (b"tRNS", struct.pack(">H", value))
            files[f"grey {depth}, {value} clear"] = png(0, depth, grey, clear)
        if depth < 16:
            numbers, table = grey % 16, (b"PLTE", palette[1][: 3 * 2 ** min(depth, 4)])
            clear = (b"tRNS", bytes([0, 128]))
            files[f"palette {depth}"] = png(3, depth, numbers, table)
            files[f"palette {depth}, clear"] = png(3, depth, numbers, table, clear)
        if depth >= 8:
            for colour, channels in ((2, 3), (4, 2), (6, 4)):
                samples = random.integers(0, 2**depth, (9, 13, channels))
                files[f"kind {colour} of {depth}"] = png(colour, depth, samples)
    rgb = random.integers(0, 256, (9, 13, 3))
    clear = (b"tRNS", struct.pack(">3H", *map(int, rgb[2, 2])))
    files["RGB, a colour clear"] = png(2, 8, rgb, clear)
    files["turned"] = png(2, 8, RGB, (b"eXIf", exif(6)))
    files["turned and clear"] = png(
        6, 8, random.integers(0, 256, (9, 13, 4)), (b"eXIf", exif(7, order=">"))
    )
    text = b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="6"/>'
    files["XMP"] = png(2, 8, RGB, (b"iTXt", text))
    files["animated"] = encode(
        PHOTO, "PNG", save_all=True, append_images=[PHOTO.rotate(180)]
    )
    return files


def _gifs_and_bmps() -> dict[str, bytes]:
    few = PHOTO.quantize(16)
    files = {
        **{f"GIF {mode}": encode(PHOTO.convert(mode), "GIF") for mode in ("L", "1")},
        "GIF, a colour clear": encode(few, "GIF", transparency=3),
        "GIF, interlaced": encode(few, "GIF", transparency=3, interlace=1),
        "GIF with a comment": encode(few, "GIF", transparency=0, comment=b"h" * 999),
        "GIF that moves": encode(
            *(few, "GIF"),
            transparency=3,
            save_all=True,
            append_images=[PHOTO.rotate(90).quantize(16)],
        ),
        **{f"BMP {m}": encode(PHOTO.convert(m), "BMP") for m in ("L", "P", "RGB")},
        "BMP of 16 colours": encode(few, "BMP"),
        "BMP of 32 bits": encode(PHOTO.convert("RGBA"), "BMP"),
    }
    for name in ("GIF, a colour clear", "GIF L"):
        part = bytearray(files[name])
        at = part.index(b"\x2c\0\0\0\0")
        struct.pack_into("<HH", part, 6, 90, 60)  # the canvas
        struct.pack_into("<HH", part, at + 1, 5, 7)  # where the frame is on it
        files[f"part of a {name}"] = bytes(part)
    return files


FILES = _metadata() | _pngs() | _gifs_and_bmps()


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_read_as_prediction_reads_it(name):
    for channels in (1, 3) if not name.startswith(("GIF", "BMP", "part")) else (3,):
        got, expected = served(FILES[name], channels), predicted(FILES[name], channels)
        assert got.shape == expected.shape
        # Pillow rounds the product of two inks, TensorFlow cuts it off; then comes
        # JPEG.
        limit = 8 if name == "inks" else 0
        assert np.max(np.abs(got.astype(int) - expected)) <= limit


def test_a_turned_photo_by_hand():
    """EXIF 6: the first row is the right-hand side, the first column the top."""
    corners = np.zeros([16, 32, 3], np.uint8)
    corners[:8, :16] = (255, 0, 0)
    corners[8:, 16:] = (0, 0, 255)
    data = with_segment(b"Exif\0\0" + exif(6), jpeg=encode(corners, "JPEG"))
    upright = served(data, 3)
    assert upright.shape == (32, 16, 3)
    assert upright[4, 12].argmax() == 0
    assert upright[28, 4].argmax() == 2
    assert upright[4, 4].max() < 60


def test_transparency_by_hand():
    red = np.full([2, 2, 4], (200, 0, 0, 51), np.uint8)  # a fifth
    np.testing.assert_array_equal(
        served(encode(Image.fromarray(red), "PNG"), 3)[0, 0], [244, 204, 204]
    )


def test_plain_files_stay_as_they_are():
    for data in (JPEG, encode(PHOTO, "PNG"), encode(PHOTO.convert("L"), "PNG")):
        assert NORMALIZE(tf.constant(data)).numpy() == data


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"text", b"II*\0TIFF", b"\0\0\0\x18ftypheic", b"\0\0\0\x20ftypavif"),
        encode(PHOTO, "WEBP"),
        encode(PHOTO, "TIFF"),
    ],
)
def test_other_formats_are_refused_by_name(data):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"takes JPEG, PNG, GIF"):
        NORMALIZE(tf.constant(data))


def test_deep_files_by_hand():
    """A colour of 16 bits is transparent where all of them agree."""
    grey = np.array([[0x1234, 0x1235], [0x8000, 0xFFFF]])
    clear = (b"tRNS", struct.pack(">H", 0x1234))
    got = served(png(0, 16, grey, clear), 3)[..., 0]
    np.testing.assert_array_equal(got, [[255, 0x12], [0x80, 0xFF]])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"save it with 8"):
        NORMALIZE(tf.constant(png(0, 16, grey % 4096)))


def test_bmp_files_that_tensorflow_would_misread_are_refused():
    compressed = bytearray(encode(PHOTO.quantize(16), "BMP"))
    compressed[30] = 1
    for data in (bytes(compressed), encode(PHOTO.convert("1"), "BMP")):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"save it as PNG"):
            NORMALIZE(tf.constant(data))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_forms_of_the_check_are_such_files(channels):
    image = RGB[..., :channels]
    files = export_photos.in_every_form([image])
    assert len(files) > 15
    for data in files.values():
        np.testing.assert_array_equal(served(data, 3), predicted(data, 3))
