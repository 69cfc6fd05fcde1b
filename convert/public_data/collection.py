"""Labeled images from elsewhere, before they become TFRecords, and their download."""

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence

from common import atomic_files, fetching
from convert.tfrecords.rejections import Kind, Rejection
from datasets.photos import photo_codec
from datasets.photos.photo_codec import StoredPhoto
from datasets.photos.unfit_photos import UnfitPhotoError
from errors import UserError


@dataclasses.dataclass(frozen=True)
class Example:
    """A labeled image.

    Attributes:
      encoded: the bytes of an image file, in any format supported for photos.
      label: its label.
      name: its name in lists.
    """

    encoded: bytes
    label: int
    name: str


@dataclasses.dataclass(frozen=True)
class Usable:
    """An example whose image can be stored in a record."""

    photo: StoredPhoto
    label: int
    name: str


def normalize_some(examples: Sequence[Example]) -> list[Usable | Rejection]:
    """Checks images, and re-encodes those that need it."""
    return [_normalize(example) for example in examples]


def _normalize(example: Example) -> Usable | Rejection:
    try:
        photo = photo_codec.normalize(example.encoded)
    except UnfitPhotoError as error:
        return Rejection(example.name, Kind.of(error), str(error))
    return Usable(photo, example.label, example.name)


@dataclasses.dataclass(frozen=True)
class Split:
    """A split.

    Attributes:
      filenames: the names of the TFRecord files; each holds consecutive examples.
      num_examples: number of examples.
      read: returns the examples, in the order in which they are stored.
    """

    filenames: tuple[str, ...]
    num_examples: int
    read: Callable[[], Iterator[Example]]


@dataclasses.dataclass(frozen=True)
class Collection:
    """A data set that can be read.

    Attributes:
      classes: class names by label.
      splits: by name.
      num_channels: 3 (RGB) or 1 (gray), as training decodes the images.
    """

    classes: tuple[str, ...]
    splits: Mapping[str, Split]
    num_channels: int = 3


def shard_names(pattern: str, num_shards: int, num_examples: int) -> tuple[str, ...]:
    """Names of a split's files: as many as wanted, but no more than examples.

    Args:
      pattern: with placeholders for two numbers, as in "train-%05d-of-%05d".
      num_shards: number of files wanted.
      num_examples: number of the split's examples.
    """
    number = max(1, min(num_shards, num_examples))
    return tuple(pattern % (shard, number) for shard in range(number))


@dataclasses.dataclass(frozen=True)
class Remote:
    """A file to download.

    Attributes:
      url: its address.
      sha256: hexadecimal digest of its content.
      max_bytes: a limit that it does not reach.
    """

    url: str
    sha256: str
    max_bytes: int = fetching.MAX_BYTES


def fetch(remote: Remote, data_dir: str) -> str:
    """Downloads a file to a folder, unless it is there.

    Returns:
      Its path.

    Raises:
      UserError: it cannot be downloaded, or is another file; the message says what to
        do by hand.
    """
    path = os.path.join(data_dir, os.path.basename(remote.url))
    if not os.path.lexists(path):
        os.makedirs(data_dir, exist_ok=True)
        try:
            fetching.download(remote.url, path, remote.max_bytes)
        except fetching.UnreachableError as error:
            raise UserError(
                f"{error}: get {os.path.basename(path)} by other means, put it into"
                f" {data_dir} and try again with --data_dir={data_dir}"
            ) from error
    if atomic_files.sha256(path) != remote.sha256:
        raise UserError(
            f"{path} is not the file published at {remote.url} (its SHA-256 is not"
            f" {remote.sha256}): delete it and try again"
        )
    return path
