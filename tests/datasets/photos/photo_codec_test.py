import contextlib
import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from datasets.photos import photo_codec
from datasets.photos.photo_codec import normalize
from datasets.photos.unfit_photos import (
    NotAPhotoError,
    TooLargePhotoError,
    UnfitPhotoError,
)
from tests.convert.sample_photos import encode, pixels


def decode(photo):
    """What training will see, [height, width, 3]."""
    image = tf.io.decode_image(photo.encoded, channels=3, expand_animations=False)
    assert image.shape == (photo.height, photo.width, 3)
    assert photo.encoded[:2] == {"jpg": b"\xff\xd8", "png": b"\x89P"}[photo.format]
    return image.numpy()


def png(height, width, bit_depth, colour_type, rows, *more):
    """A PNG file by hand, since Pillow writes only some kinds."""

    def chunk(kind, data):
        checked = kind + data
        crc = struct.pack(">I", zlib.crc32(checked))
        return struct.pack(">I", len(data)) + checked + crc

    header = struct.pack(">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", header), *more, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*entry) for entry in chunks)


RGB = pixels(0)
GREY = RGB[..., 0]


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (encode(RGB, "JPEG"), "jpg"),
        (encode(RGB, "JPEG", progressive=True), "jpg"),
        (encode(RGB, "JPEG", subsampling=0, quality=100, comment=b"x"), "jpg"),
        (encode(GREY, "JPEG"), "jpg"),
        (encode(RGB, "PNG"), "png"),
        (encode(GREY, "PNG", compress_level=0), "png"),
    ],
)
def test_plain_photos_are_kept_byte_for_byte(data, suffix):
    photo = normalize(data)
    assert photo.encoded is data
    assert (photo.format, photo.height, photo.width) == (suffix, 6, 5)


def test_a_multi_picture_jpeg_is_kept():
    first, second = Image.fromarray(RGB), Image.fromarray(RGB[::-1])
    data = encode(first, "MPO", save_all=True, append_images=[second])
    photo = normalize(data)
    assert photo.encoded is data
    assert photo.format == "jpg"


def on_white(rgba):
    """Hand-worked: colour × alpha + white × (1 - alpha)."""
    alpha = rgba[..., 3:] / 255
    return rgba[..., :3] * alpha + 255 * (1 - alpha)


RGBA = pixels(1, channels=4)
DEEP = np.random.default_rng(2).integers(0, 1 << 16, (6, 5, 3), dtype=np.uint16)
DEEP_ROWS = b"".join(b"\0" + row.astype(">u2").tobytes() for row in DEEP)
PALETTE = Image.fromarray(RGB).quantize(8)
FRAMES = [Image.fromarray(RGB), Image.fromarray(RGB[::-1])]
GREY3 = np.repeat(GREY[..., None], 3, axis=2)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (encode(RGB, "BMP"), RGB),
        (encode(RGB, "TIFF"), RGB),
        (encode(RGB, "TIFF", compression="tiff_lzw"), RGB),
        (encode(RGB, "WEBP", lossless=True), RGB),
        (encode(PALETTE, "PNG"), np.asarray(PALETTE.convert("RGB"))),
        (encode(PALETTE, "GIF"), np.asarray(PALETTE.convert("RGB"))),
        (
            encode(PALETTE, "GIF", save_all=True, append_images=[PALETTE.rotate(180)]),
            np.asarray(PALETTE.convert("RGB")),
        ),
        (encode(FRAMES[0], "PNG", save_all=True, append_images=FRAMES[1:]), RGB),
        (encode(RGBA, "PNG"), on_white(RGBA)),
        (encode(RGBA, "TIFF"), on_white(RGBA)),
        (encode(pixels(3, channels=2), "PNG"), None),
        (png(6, 5, 16, 2, DEEP_ROWS), DEEP >> 8),
        (encode(DEEP[..., 0], "PNG"), (DEEP[..., :1] >> 8).repeat(3, axis=2)),
        (encode(DEEP[..., 0], "TIFF"), (DEEP[..., :1] >> 8).repeat(3, axis=2)),
        (encode(Image.fromarray(GREY > 127), "PNG"), np.where(GREY3 > 127, 255, 0)),
        (encode(Image.fromarray(GREY > 127), "TIFF"), np.where(GREY3 > 127, 255, 0)),
    ],
)
def test_lossless_kinds_become_png_with_the_same_pixels(data, expected):
    photo = normalize(data)
    assert photo.format == "png"
    decoded = decode(photo)
    if expected is not None:
        np.testing.assert_allclose(decoded, expected, atol=1)


def test_a_transparent_colour_is_white():
    data = encode(RGB, "PNG", transparency=tuple(int(value) for value in RGB[2, 3]))
    expected = RGB.copy()
    expected[2, 3] = 255
    np.testing.assert_array_equal(decode(normalize(data)), expected)


def smooth(channels=3):
    """Pixels that survive lossy coding, 32 × 24."""
    rows, columns = np.mgrid[0:32, 0:24] / 32
    planes = [rows, columns, rows * columns, 1 - rows][:channels]
    return (np.stack(planes, axis=-1) * 255).astype(np.uint8)


@pytest.mark.parametrize(
    "data",
    [
        encode(smooth(), "WEBP", quality=95),
        encode(Image.fromarray(smooth()).convert("CMYK"), "JPEG", quality=95),
        encode(smooth(), "TIFF", compression="jpeg", quality=95),
    ],
)
def test_lossy_kinds_become_jpeg(data):
    photo = normalize(data)
    assert photo.format == "jpg"
    np.testing.assert_allclose(decode(photo), smooth(), atol=12)


def test_cmyk_without_loss_becomes_png():
    cmyk = Image.fromarray(smooth()).convert("CMYK")
    photo = normalize(encode(cmyk, "TIFF"))
    assert photo.format == "png"
    np.testing.assert_allclose(decode(photo), smooth(), atol=1)


# What a viewer does with the stored pixels; the values are those of EXIF 2.32, 4.6.4.
UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda image: image,
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(image, 2).swapaxes(0, 1),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_turns_the_photo(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    expected = UPRIGHT[orientation](RGB)
    np.testing.assert_array_equal(
        decode(normalize(encode(RGB, "PNG", exif=exif))), expected
    )
    data = encode(smooth(), "JPEG", quality=95, exif=exif)
    photo = normalize(data)
    assert (photo.encoded is data) == (orientation == 1)
    assert photo.format == "jpg"
    np.testing.assert_allclose(decode(photo), UPRIGHT[orientation](smooth()), atol=12)
    again = normalize(photo.encoded)
    assert again.encoded is photo.encoded  # the tag is gone


def test_an_unknown_orientation_changes_nothing():
    exif = Image.Exif()
    exif[0x0112] = 9
    data = encode(RGB, "JPEG", exif=exif)
    assert normalize(data).encoded is data


def test_large_photos_shrink_to_max_side():
    image = pixels(4, height=60, width=90)
    shrunk = normalize(encode(image, "JPEG"), max_side=30)
    assert (shrunk.format, shrunk.height, shrunk.width) == ("jpg", 20, 30)
    assert decode(shrunk).shape == (20, 30, 3)
    tall = normalize(encode(image.swapaxes(0, 1), "PNG"), max_side=30)
    assert (tall.format, tall.height, tall.width) == ("png", 30, 20)
    data = encode(image, "PNG")
    assert normalize(data, max_side=90).encoded is data


def test_what_only_pillow_decodes_is_encoded_anew():
    no_end = encode(RGB, "JPEG")[:-1] + b"\x01"  # Pillow does not miss the end marker
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.io.decode_jpeg(no_end)
    photo = normalize(no_end)
    assert photo.encoded != no_end
    np.testing.assert_allclose(decode(photo), Image.open(io.BytesIO(no_end)), atol=40)


JPEG = encode(pixels(5, 64, 64), "JPEG")
PNG = encode(pixels(5, 64, 64), "PNG")
DEFLATED = zlib.compress(bytes(8 << 20))


@pytest.mark.parametrize(
    ("data", "kind", "reason"),
    [
        (b"", NotAPhotoError, "no JPEG, PNG"),
        (b"hello", NotAPhotoError, "no JPEG, PNG"),
        (bytes(1000), NotAPhotoError, "all zeros"),
        (JPEG[:2000], UnfitPhotoError, "truncated"),
        (JPEG[:-10], UnfitPhotoError, "truncated"),
        (JPEG[:20], UnfitPhotoError, ""),
        (PNG[:2000], UnfitPhotoError, "truncated"),
        (PNG[:2000] + b"\x55" * 20 + PNG[2020:], UnfitPhotoError, ""),
        (encode(RGB, "BMP")[:-20], UnfitPhotoError, "truncated"),
        (encode(RGB, "WEBP")[:-20], UnfitPhotoError, ""),
        (encode(RGB, "TIFF")[:60], UnfitPhotoError, ""),
        (encode(PALETTE, "GIF")[:-20], UnfitPhotoError, ""),
        (
            encode(Image.new("F", (5, 6)), "TIFF"),
            UnfitPhotoError,
            "32 bits per channel",
        ),
        (
            encode(Image.new("I", (5, 6)), "TIFF"),
            UnfitPhotoError,
            "32 bits per channel",
        ),
        (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
            NotAPhotoError,
            "a PostScript drawing",
        ),
        (png(50_000, 50_000, 8, 2, b"\0"), TooLargePhotoError, "50000 × 50000 pixels"),
        (
            b"GIF89a" + b"\xff" * 4 + bytes(3) + b"," + bytes(40),
            TooLargePhotoError,
            "655",
        ),
        (png(6, 5, 8, 2, b"", (b"iCCP", b"x\0\0" + DEFLATED)), UnfitPhotoError, ""),
    ],
)
def test_unfit_photos_are_explained(data, kind, reason):
    with pytest.raises(UnfitPhotoError) as caught:
        normalize(data)
    assert caught.type == kind
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value)


def test_pillows_own_limit_is_left_as_it_was(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 7)
    assert normalize(encode(RGB, "PNG")).width == 5  # ours is larger
    assert Image.MAX_IMAGE_PIXELS == 7


def test_a_jpeg_may_have_twice_the_pixels(monkeypatch):
    monkeypatch.setattr(photo_codec, "MAX_PIXELS", 30)
    monkeypatch.setattr(photo_codec, "MAX_PIXELS_DECODED_WHOLE", 29)
    assert normalize(encode(RGB, "JPEG")).width == 5
    for name in ("PNG", "GIF", "BMP", "WEBP", "TIFF", "AVIF"):
        with pytest.raises(TooLargePhotoError, match=r"5 × 6 .* all formats but JPEG"):
            normalize(encode(RGB, name))
    monkeypatch.setattr(photo_codec, "MAX_PIXELS", 29)
    with pytest.raises(TooLargePhotoError, match="5 × 6 pixels; the limit for JPEG"):
        normalize(encode(RGB, "JPEG"))


def test_libraries_of_pillow_write_nothing(capfd):
    sound = encode(pixels(0, 40, 40), "TIFF", compression="tiff_lzw")
    damaged = sound[:40] + bytes(300) + sound[340:]
    with pytest.raises(UnfitPhotoError, match="cannot be decoded: decoder error"):
        normalize(damaged)
    assert capfd.readouterr() == ("", "")


def test_text_in_a_png_does_no_harm():
    notes = PngImagePlugin.PngInfo()
    notes.add_text("comment", "x" * 100_000, zip=True)
    data = encode(RGB, "PNG", pnginfo=notes)
    assert normalize(data).encoded is data


SOUND = [
    encode(RGB, "JPEG"),
    encode(RGB, "PNG"),
    encode(RGBA, "PNG"),
    encode(PALETTE, "GIF"),
    encode(RGB, "BMP"),
    encode(RGB, "WEBP"),
    encode(RGB, "TIFF"),
    encode(Image.fromarray(RGB).convert("CMYK"), "JPEG"),
]


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(SOUND),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=4))),
    st.floats(0.5, 1),
)
def test_damage_is_refused_or_does_not_matter(data, patches, kept):
    """Whatever is done to a file, it is explained or becomes a photo."""
    damaged = bytearray(data)
    for place, patch in patches:
        at = int(place * len(damaged))
        damaged[at : at + len(patch)] = patch
    damaged = damaged[: int(kept * len(damaged)) + 1]
    with contextlib.suppress(UnfitPhotoError):
        image = decode(normalize(bytes(damaged)))
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert image.shape[2] in (1, 3)


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from([{}, {"progressive": True}, {"restart_marker_blocks": 2}]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=4))),
    st.sampled_from([1.0, 1.0, 0.999, 0.9]),
)
def test_a_smaller_picture_misses_no_damage(options, patches, kept):
    """What is decoded at an eighth of its size is refused as it is at its own."""
    damaged = bytearray(encode(pixels(1, 40, 56), "JPEG", **options))
    for place, patch in patches:
        at = int(place * len(damaged))
        damaged[at : at + len(patch)] = patch
    data = bytes(damaged[: int(kept * len(damaged))])
    try:
        Image.open(io.BytesIO(data)).load()
    except (
        *(OSError, SyntaxError, ValueError, struct.error),
        Image.DecompressionBombError,  # damaged into another format
    ):
        with pytest.raises(UnfitPhotoError):
            normalize(data)
    else:
        assert normalize(data).width > 0


def test_what_tensorflow_reads_stays_and_the_rest_is_encoded_anew(tmp_path):
    values = pixels(1, 20, 30)
    jpeg = encode(values, "JPEG")
    (tmp_path / "a.jpg").write_bytes(jpeg)
    assert photo_codec.read(str(tmp_path / "a.jpg")).encoded == jpeg

    (tmp_path / "a.webp").write_bytes(encode(values, "WEBP", lossless=True))
    photo = photo_codec.read(str(tmp_path / "a.webp"))
    assert (photo.format, photo.height, photo.width) == ("png", 20, 30)
    np.testing.assert_array_equal(tf.io.decode_image(photo.encoded), values)

    cmyk = encode(Image.fromarray(values).convert("CMYK"), "JPEG")
    (tmp_path / "cmyk.jpg").write_bytes(cmyk)
    photo = photo_codec.read(str(tmp_path / "cmyk.jpg"))
    assert tf.io.decode_image(photo.encoded).shape == (20, 30, 3)


def test_what_cannot_be_read_is_explained(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no image")
    for name, reason in (
        ("absent.jpg", "No such file"),
        ("", "a folder, not a file"),
        ("a.jpg", "no JPEG"),
    ):
        with pytest.raises(UnfitPhotoError, match=reason):
            photo_codec.read(str(tmp_path / name))
