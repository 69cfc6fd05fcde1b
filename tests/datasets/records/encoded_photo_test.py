"""A window decoded alone is that of the whole image, whatever the bytes are."""

import functools
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from datasets import example_schema
from datasets.records.encoded_photo import EncodedPhoto

HEIGHT, WIDTH = 93, 131


def encode(size=(WIDTH, HEIGHT), file_format="JPEG", mode="RGB", noise=20, **options):
    """A photo of coloured blocks with noise on them."""
    generator = np.random.default_rng(0)
    blocks = generator.integers(0, 256, (9, 12, 3), np.uint8)
    smooth = np.asarray(Image.fromarray(blocks).resize(size, Image.Resampling.BICUBIC))
    noisy = smooth + generator.integers(-noise, noise + 1, smooth.shape)
    image = Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def features_of(encoded, image_format="", height=0, width=0):
    return {
        example_schema.ENCODED: tf.constant(encoded),
        example_schema.FORMAT: tf.constant(image_format),
        example_schema.HEIGHT: tf.constant(height, tf.int64),
        example_schema.WIDTH: tf.constant(width, tf.int64),
    }


@functools.cache
def compiled(num_channels, least_size=None):
    @tf.function
    def look(features, begin, size):
        photo = EncodedPhoto(features, num_channels)
        return photo.shape, photo.window(begin, size, least_size)

    return look


RAW = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8).tobytes()
RECORDS = {
    "4:2:0": features_of(encode(subsampling=2)),
    "4:2:2": features_of(encode(subsampling=1)),
    "4:4:4": features_of(encode(subsampling=0)),
    "progressive": features_of(encode(progressive=True)),
    "grey": features_of(encode(mode="L")),
    "png": features_of(encode(file_format="PNG")),
    "raw": features_of(RAW, "raw", HEIGHT, WIDTH),
}


@pytest.mark.parametrize("num_channels", [1, 3])
@pytest.mark.parametrize("kind", RECORDS)
def test_a_window_is_cut_out_of_the_whole_image(kind, num_channels):
    if kind == "raw" and num_channels == 1:
        pytest.skip("raw pixels have the channels that they have")
    features = RECORDS[kind]
    whole = example_schema.decode_image(features, num_channels).numpy()
    generator = np.random.default_rng(2)
    windows = [(0, HEIGHT, 0, WIDTH), (HEIGHT - 1, HEIGHT, WIDTH - 1, WIDTH)]
    for _ in range(25):
        rows = sorted(generator.choice(HEIGHT + 1, 2, replace=False))
        columns = sorted(generator.choice(WIDTH + 1, 2, replace=False))
        windows.append((*rows, *columns))
    for top, bottom, left, right in windows:
        shape, window = compiled(num_channels)(
            features,
            tf.constant([top, left], tf.int32),
            tf.constant([bottom - top, right - left], tf.int32),
        )
        assert shape.numpy().tolist() == [HEIGHT, WIDTH, num_channels]
        np.testing.assert_array_equal(window, whole[top:bottom, left:right])


@pytest.mark.parametrize(
    ("side", "least", "expected"),
    [
        (639, 320, 639),
        (640, 320, 320),
        (1279, 320, 640),
        (1280, 320, 320),
        (4000, 320, 500),
        (4000, 4001, 4000),
    ],
)
def test_a_large_jpeg_is_decoded_no_finer_than_needed(side, least, expected):
    encoded = encode((side, 64), noise=0)
    photo = EncodedPhoto(features_of(encoded), 3)
    pixels = photo.pixels((1, least)).numpy()
    ratio = -(-side // expected)
    assert pixels.shape == (64 // ratio, expected, 3)
    # As good as the mean of the pixels that became one.
    whole = photo.pixels().numpy()[:, : side // ratio * ratio].astype(float)
    means = whole.reshape(64 // ratio, ratio, -1, ratio, 3).mean((1, 3))
    assert np.abs(pixels[:, : means.shape[1]] - means).mean() < 3


def test_a_window_of_a_smaller_image_shows_the_same_place():
    photo = EncodedPhoto(features_of(encode((640, 480))), 3)
    begin, size = tf.constant([101, 203]), tf.constant([200, 330])
    window = photo.window(begin, size, (100, 100)).numpy()
    assert window.shape == (101, 166, 3)  # rows 50 to 150, columns 101 to 266
    whole = photo.pixels((240, 320)).numpy()
    np.testing.assert_array_equal(window, whole[50:151, 101:267])


def test_what_is_no_jpeg_stays_as_large():
    png = EncodedPhoto(features_of(encode(file_format="PNG")), 3)
    assert png.pixels((1, 1)).shape == (HEIGHT, WIDTH, 3)


def test_bytes_that_are_no_image_are_an_error():
    for encoded in (b"", b"\xff\xd8\xff\xe0 cut off", b"words"):
        with pytest.raises(tf.errors.InvalidArgumentError):
            EncodedPhoto(features_of(encoded), 3).pixels()
