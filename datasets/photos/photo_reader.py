"""A photo's file as bytes that TensorFlow decodes to what people see."""

import tensorflow as tf

from datasets.photos import photo_bytes, photo_codec
from datasets.photos.photo_codec import StoredPhoto


def read(path: str, bits: int | None = None) -> StoredPhoto:
    """The photo in a file, as the converter would store it.

    Args:
      path: the file.
      bits: see `deep_photo.reduce`.

    Raises:
      UnfitPhotoError: it cannot be read, is damaged or of an unknown format.
    """
    return decodable(photo_codec.normalise(photo_bytes.read(path), bits=bits))


def decodable(photo: StoredPhoto) -> StoredPhoto:
    """The photo, encoded anew where TensorFlow, stricter than Pillow, refuses it."""
    if _tensorflow_decodes(photo):
        return photo
    return photo_codec.normalise(photo.encoded, keep=False)


def _tensorflow_decodes(photo: StoredPhoto) -> bool:
    """Whether TensorFlow takes the bytes; it is a little stricter than Pillow."""
    try:
        with tf.device("CPU"):
            if photo.format == "jpg":
                tf.io.decode_jpeg(photo.encoded, ratio=8)  # reads all, computes little
            else:
                tf.io.decode_png(photo.encoded)
    except tf.errors.InvalidArgumentError:
        return False
    return True
