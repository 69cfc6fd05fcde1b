"""Files as bytes that TensorFlow decodes."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from datasets.photos import photo_reader
from datasets.photos.unfit_photos import UnfitPhotoError
from tests.convert import sample_photos


def test_what_tensorflow_reads_stays_and_the_rest_is_encoded_anew(tmp_path):
    pixels = sample_photos.pixels(1, 20, 30)
    jpeg = sample_photos.encode(pixels, "JPEG")
    (tmp_path / "a.jpg").write_bytes(jpeg)
    assert photo_reader.read(str(tmp_path / "a.jpg")).encoded == jpeg

    (tmp_path / "a.webp").write_bytes(
        sample_photos.encode(pixels, "WEBP", lossless=True)
    )
    photo = photo_reader.read(str(tmp_path / "a.webp"))
    assert (photo.format, photo.height, photo.width) == ("png", 20, 30)
    np.testing.assert_array_equal(tf.io.decode_image(photo.encoded), pixels)

    cmyk = sample_photos.encode(Image.fromarray(pixels).convert("CMYK"), "JPEG")
    (tmp_path / "cmyk.jpg").write_bytes(cmyk)
    photo = photo_reader.read(str(tmp_path / "cmyk.jpg"))
    assert tf.io.decode_image(photo.encoded).shape == (20, 30, 3)


def test_what_cannot_be_read_is_explained(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no image")
    for name, reason in (
        ("absent.jpg", "No such file"),
        ("", "a folder, not a file"),
        ("a.jpg", "no JPEG"),
    ):
        with pytest.raises(UnfitPhotoError, match=reason):
            photo_reader.read(str(tmp_path / name))
