"""A photo on its way into a data set: where it is, and what its check found."""

import dataclasses

from datasets.photos.deep_photo import Depth


@dataclasses.dataclass(frozen=True)
class Source:
    """One file to convert.

    Attributes:
      path: where it is.
      name: how it is called in lists: relative to the image directory, or as in the
        CSV file.
      class_name: its label.
      split: "train", "validation" or "test" where folder or CSV file say so.
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
      digest: SHA-256 of the file's bytes, as hexadecimal digits.
      format: "jpg" or "png", of what will be stored.
      height: of it, in pixels.
      width: of it, in pixels.
      encoded_path: the file that holds what will be stored, if the source does not.
      depth: of a photo with more than 8 bits a channel; see `StoredPhoto`.
      doubt: why 16 bits are not certain; "" if they are.
    """

    source: Source
    digest: str
    format: str
    height: int
    width: int
    encoded_path: str | None
    depth: Depth | None = None
    doubt: str = ""
