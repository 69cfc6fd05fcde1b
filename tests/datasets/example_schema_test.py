import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from datasets import example_schema

COLOURS = np.array(
    [
        [[255, 0, 0], [0, 255, 0]],
        [[0, 0, 255], [255, 255, 255]],
        [[9, 9, 9], [0, 0, 0]],
    ],
    np.uint8,
)


def encode(image, file_format, **options):
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def decode(encoded, image_format="", num_channels=3, height=0, width=0):
    features = {
        example_schema.ENCODED: tf.constant(encoded),
        example_schema.FORMAT: tf.constant(image_format),
        example_schema.HEIGHT: tf.constant(height, tf.int64),
        example_schema.WIDTH: tf.constant(width, tf.int64),
    }
    decoded = tf.function(lambda: example_schema.decode_image(features, num_channels))()
    return decoded.numpy()


@settings(deadline=None, max_examples=50)
@given(
    st.binary(),
    st.sampled_from(["jpg", "png", "raw"]),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 2**40),
    st.integers(0, 2**40),
)
def test_examples_survive_a_round_trip(encoded, image_format, label, height, width):
    serialized = example_schema.build_example(
        encoded, image_format, label, height, width
    )
    features = example_schema.parse_example(tf.constant(serialized))
    assert {key: value.numpy() for key, value in features.items()} == {
        "image/encoded": encoded,
        "image/format": image_format.encode(),
        "image/class/label": label,
        "image/height": height,
        "image/width": width,
    }


def test_equal_photos_make_equal_bytes():
    first, second = (
        example_schema.build_example(b"x", "jpg", 1, 2, 3, "a/b.jpg") for _ in range(2)
    )
    assert first == second


def test_a_file_name_keeps_its_bytes():
    serialized = example_schema.build_example(b"", "jpg", 0, 1, 1, "a\udcff/ä\n.jpg")
    feature = tf.train.Example.FromString(serialized).features.feature
    assert feature["image/filename"].bytes_list.value[0] == b"a\xff/\xc3\xa4\n.jpg"


def test_absent_keys_have_the_readers_defaults():
    empty = tf.constant(tf.train.Example().SerializeToString())
    features = example_schema.parse_example(
        empty, label_default=0, format_default="raw"
    )
    assert features["image/encoded"].numpy() == b""
    assert features["image/format"].numpy() == b"raw"
    assert features["image/class/label"].numpy() == 0
    labels = example_schema.parse_labels(empty[tf.newaxis])
    assert labels.numpy().tolist() == [example_schema.MISSING_LABEL]


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "GIF"])
def test_lossless_files_decode_to_their_pixels(file_format):
    encoded = encode(Image.fromarray(COLOURS), file_format)
    np.testing.assert_array_equal(decode(encoded), COLOURS)


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "GIF", "JPEG"])
def test_one_channel_is_grey(file_format):
    grey = decode(encode(Image.fromarray(COLOURS), file_format), num_channels=1)
    assert grey.shape == (3, 2, 1)
    if file_format != "JPEG":
        weights = [0.299, 0.587, 0.114]
        np.testing.assert_allclose(grey[..., 0], COLOURS @ weights, atol=1)


def test_a_jpeg_decodes_as_slim_decodes_it():
    pixels = np.random.RandomState(0).randint(0, 255, (40, 30, 3)).astype(np.uint8)
    encoded = encode(Image.fromarray(pixels), "JPEG")
    expected = tf.io.decode_jpeg(encoded, channels=3)
    np.testing.assert_array_equal(decode(encoded, "png"), expected)  # content decides


def test_the_first_frame_of_a_gif_is_used():
    frames = [Image.new("RGB", (4, 3), colour) for colour in ("red", "blue")]
    encoded = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(encoded).tolist() == [[[255, 0, 0]] * 4] * 3


@pytest.mark.parametrize("image_format", ["raw", "RAW"])
def test_raw_pixels_take_the_stored_size(image_format):
    pixels = COLOURS.tobytes()
    np.testing.assert_array_equal(
        decode(pixels, image_format, height=3, width=2), COLOURS
    )


def test_raw_pixels_without_a_size_are_a_square():
    pixels = np.arange(28 * 28, dtype=np.uint8).reshape(28, 28, 1)
    decoded = decode(pixels.tobytes(), "raw", num_channels=1)
    np.testing.assert_array_equal(decoded, pixels)


def test_labels_are_checked_and_lowered_by_the_offset():
    def check(label, **options):
        features = {example_schema.LABEL: tf.constant(label, tf.int64)}
        return example_schema.check_label(features, 3, **options).numpy()

    assert [check(label) for label in range(3)] == [0, 1, 2]
    assert [check(label, labels_offset=1) for label in (1, 2)] == [0, 1]
    for wrong, offset in ((3, 0), (-1, 0), (0, 1), (3, 1)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="outside"):
            check(wrong, labels_offset=offset)
