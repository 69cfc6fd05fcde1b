"""Reads a photo as bytes that TensorFlow decodes to what people see."""

from datasets.photos import photo_bytes, photo_codec
from datasets.photos.photo_codec import StoredPhoto


def read(path: str, bits: int | None = None) -> StoredPhoto:
    """Reads the photo in a file as the converter would store it.

    Args:
      path: the file.
      bits: see `deep_photo.reduce`.

    Raises:
      UnfitPhotoError: it cannot be read, is damaged or of an unsupported format.
    """
    return photo_codec.normalize(photo_bytes.read(path), bits=bits)
