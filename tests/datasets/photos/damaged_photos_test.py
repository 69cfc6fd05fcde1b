"""Of damaged photos, what the converter accepts training decodes."""

import collections
import random

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageFile

from datasets import example_schema
from datasets.photos import photo_codec
from datasets.photos.unfit_photos import UnfitPhotoError
from datasets.records.encoded_photo import EncodedPhoto
from tests.convert.sample_photos import encode
from tests.datasets.photos.photo_codec_test import smooth

IMAGE = Image.fromarray(
    smooth() ^ np.random.default_rng(0).integers(0, 32, (32, 24, 3), np.uint8)
)
SOUND = {
    "baseline": encode(IMAGE, "JPEG"),
    "progressive": encode(IMAGE, "JPEG", progressive=True),
    "restarts": encode(IMAGE, "JPEG", restart_marker_blocks=1),
    "grey JPEG": encode(IMAGE.convert("L"), "JPEG"),
    "CMYK": encode(IMAGE.convert("CMYK"), "JPEG"),
    "PNG": encode(IMAGE, "PNG"),
    "grey PNG": encode(IMAGE.convert("L"), "PNG"),
    "palette": encode(IMAGE.quantize(16), "PNG"),
    "transparent": encode(IMAGE.convert("RGBA"), "PNG"),
    "GIF": encode(IMAGE.quantize(16), "GIF"),
    "BMP": encode(IMAGE, "BMP"),
    "WebP": encode(IMAGE, "WEBP"),
    "lossless WebP": encode(IMAGE, "WEBP", lossless=True),
}
PER_KIND = 60


def damage(data, chance):
    """A file with bits turned, bytes lost, put in or zeroed, or its end cut off."""
    damaged = bytearray(data)
    at = chance.randrange(len(data))
    match chance.randrange(6):
        case 0:
            for _ in range(chance.choice([1, 1, 3])):
                damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        case 1:
            del damaged[at:]
        case 2:
            del damaged[-chance.randrange(1, 12) :]
        case 3:
            del damaged[at : at + chance.randrange(1, 20)]
        case 4:
            damaged[at:at] = chance.randbytes(chance.randrange(1, 20))
        case 5:
            damaged[at : at + 30] = bytes(len(damaged[at : at + 30]))
    return bytes(damaged)


@tf.function(autograph=False)
def training_pixels(encoded):
    """A record's pixels as the input pipeline has them: RGB, grey, and RGB shrunk."""
    features = {
        example_schema.ENCODED: encoded,
        example_schema.FORMAT: tf.constant(""),
        example_schema.HEIGHT: tf.constant(0, tf.int64),
        example_schema.WIDTH: tf.constant(0, tf.int64),
    }
    in_colour, grey = EncodedPhoto(features, 3), EncodedPhoto(features, 1)
    return in_colour.pixels(), grey.pixels(), in_colour.pixels([4, 4])


@pytest.mark.parametrize("kind", SOUND)
def test_what_is_accepted_training_decodes(kind):
    chance = random.Random(kind)
    outcomes: collections.Counter[str] = collections.Counter()
    for _ in range(PER_KIND):
        data = damage(SOUND[kind], chance)
        try:
            photo = photo_codec.normalize(data)
        except UnfitPhotoError:
            outcomes["refused"] += 1
            continue
        outcomes["accepted"] += 1
        in_colour, grey, _ = training_pixels(tf.constant(photo.encoded))
        whole = tf.io.decode_image(photo.encoded, 3, expand_animations=False)
        np.testing.assert_array_equal(in_colour, whole)
        assert in_colour.shape == (photo.height, photo.width, 3)
        assert grey.shape == (photo.height, photo.width, 1)
    assert outcomes["refused"]
    assert outcomes["accepted"]


@pytest.mark.parametrize("kind", ["baseline", "grey JPEG", "PNG", "grey PNG"])
def test_what_stays_is_decoded_once(kind, monkeypatch):
    loads: list[Image.Image] = []
    monkeypatch.setattr(ImageFile.ImageFile, "load", loads.append)
    assert photo_codec.normalize(SOUND[kind]).encoded is SOUND[kind]
    assert not loads  # by Pillow


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_png_may_be_turned_by_what_follows_its_pixels(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(IMAGE, "PNG", exif=exif)
    at, end = data.index(b"eXIf") - 4, data.index(b"IEND") - 4
    size = 12 + int.from_bytes(data[at : at + 4], "big")
    late = data[:at] + data[at + size : end] + data[at : at + size] + data[end:]
    assert data[at : at + size] in late[late.index(b"IDAT") :]
    photo = photo_codec.normalize(late)
    assert (photo.encoded is late) == (orientation == 1)
    pixels = tf.io.decode_png(photo.encoded)
    expected = np.rot90(IMAGE, -1) if orientation == 6 else np.asarray(IMAGE)
    np.testing.assert_array_equal(pixels, expected)


def test_what_training_does_not_decode_once_it_is_encoded_anew_is_refused():
    tall = Image.new("1", (1, 1_000_001))  # libpng's limit is a million rows
    with pytest.raises(UnfitPhotoError, match="1 × 1000001 pixels, which TensorFlow"):
        photo_codec.normalize(encode(tall, "PNG"))
