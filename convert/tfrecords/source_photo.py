"""A photo to be converted: its file, and the result of its check."""

import dataclasses

from datasets.photos.deep_photo import Depth


@dataclasses.dataclass(frozen=True)
class Source:
    """A file to convert.

    Attributes:
      path: its path.
      name: its name in lists: its path in the image folder, or as in the CSV file.
      class_name: its class.
      split: "train", "validation" or "test", or None if folder or CSV file do not
        give it.
      num_bytes: its size.
    """

    path: str
    name: str
    class_name: str
    split: str | None
    num_bytes: int


@dataclasses.dataclass(frozen=True)
class Checked:
    """A photo that can be used.

    Attributes:
      source: the file.
      digest: hexadecimal SHA-256 of the file's bytes.
      format: "jpg" or "png", of the image to be stored.
      height: the height of that image, in pixels.
      width: the width of that image, in pixels.
      encoded_path: the file that holds that image, if it is not the source.
      encoded_digest: hexadecimal SHA-256 of that file; "" if there is none.
      depth: the depth of a photo with more than 8 bits per channel; see `StoredPhoto`.
      doubt: why it may use fewer than 16 bits; "" if there is no doubt.
    """

    source: Source
    digest: str
    format: str
    height: int
    width: int
    encoded_path: str | None
    encoded_digest: str = ""
    depth: Depth | None = None
    doubt: str = ""
