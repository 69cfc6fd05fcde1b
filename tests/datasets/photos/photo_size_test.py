"""Sizes by the headers are those that Pillow reads, hostile ones included."""

import io
import struct

import pytest
from PIL import Image

from datasets.photos.photo_size import num_pixels


def encode(file_format, size=(7, 5), mode="RGB", **options):
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, file_format, **options)
    return buffer.getvalue()


FORMATS = {
    "PNG": encode("PNG"),
    "BMP": encode("BMP"),
    "GIF": encode("GIF"),
    "GIF without a table of its own": encode("GIF", mode="L"),
    "lossy WebP": encode("WEBP"),
    "lossless WebP": encode("WEBP", lossless=True),
    "transparent WebP": encode("WEBP", mode="RGBA"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_pixels_of_each_format(name):
    assert num_pixels(FORMATS[name]) == 35


def test_all_images_of_a_gif_count():
    frames = [Image.new("L", (7, 5), 80 * number) for number in range(3)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    assert num_pixels(buffer.getvalue()) == 3 * 35


def patched(name, at, form, *values):
    content = bytearray(FORMATS[name])
    struct.pack_into(form, content, at, *values)
    return bytes(content)


@pytest.mark.parametrize(
    ("encoded", "pixels"),
    [
        (patched("PNG", 16, ">II", 40_000, 30_000), 1_200_000_000),
        (patched("PNG", 16, ">II", 2**32 - 1, 2**32 - 1), 2**63 - 1),
        (patched("BMP", 18, "<ii", 40_000, -30_000), 1_200_000_000),
        (patched("GIF", 6, "<HH", 40_000, 30_000), 1_200_000_000),
        (
            patched("GIF", FORMATS["GIF"].index(b",", 13) + 5, "<HH", 60_000, 50_000),
            3_000_000_000,
        ),
        (patched("lossy WebP", 26, "<HH", 16_383, 16_383), 16_383**2),
        (patched("lossless WebP", 21, "<I", 0x0FFFFFFF), 16_384**2),
    ],
)
def test_what_a_header_claims_is_believed(encoded, pixels):
    assert num_pixels(encoded) == pixels


@pytest.mark.parametrize("name", FORMATS)
def test_a_header_that_ends_early_is_no_size(name):
    for end in range(30):
        assert num_pixels(FORMATS[name][:end]) in (0, 35)
    assert num_pixels(b"no image") == num_pixels(b"") == 0
