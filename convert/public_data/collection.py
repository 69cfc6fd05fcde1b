"""Labelled images from elsewhere, before they are TFRecords; and how to fetch them."""

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
    """One labelled image.

    Attributes:
      encoded: the bytes of an image file, of any format that photos may have.
      label: its class.
      name: what to call it in lists.
    """

    encoded: bytes
    label: int
    name: str


@dataclasses.dataclass(frozen=True)
class Usable:
    """An example whose image can be stored."""

    photo: StoredPhoto
    label: int
    name: str


def normalise_some(examples: Sequence[Example]) -> list[Usable | Rejection]:
    """Checks images, and encodes those anew that need it."""
    return [_normalise(example) for example in examples]


def _normalise(example: Example) -> Usable | Rejection:
    try:
        photo = photo_codec.normalise(example.encoded)
    except UnfitPhotoError as error:
        return Rejection(example.name, Kind.of(error), str(error))
    return Usable(photo, example.label, example.name)


@dataclasses.dataclass(frozen=True)
class Split:
    """One split.

    Attributes:
      filenames: of the TFRecords; each takes a run of the examples.
      num_examples: how many there are.
      read: gives them, in the order in which they are stored.
    """

    filenames: tuple[str, ...]
    num_examples: int
    read: Callable[[], Iterator[Example]]


@dataclasses.dataclass(frozen=True)
class Collection:
    """A data set that can be read.

    Attributes:
      classes: their names by label.
      splits: by name.
      num_channels: 3 (RGB) or 1 (grey), as training will decode the images.
    """

    classes: tuple[str, ...]
    splits: Mapping[str, Split]
    num_channels: int = 3


def shard_names(pattern: str, num_shards: int, num_examples: int) -> tuple[str, ...]:
    """The names of a split's files, as many as wanted but no more than examples.

    Args:
      pattern: with two places for numbers, as in "train-%05d-of-%05d".
      num_shards: files wanted.
      num_examples: of the split.
    """
    number = max(1, min(num_shards, num_examples))
    return tuple(pattern % (shard, number) for shard in range(number))


@dataclasses.dataclass(frozen=True)
class Remote:
    """A file to download.

    Attributes:
      url: where it is.
      sha256: of its content.
      max_bytes: more than it has.
    """

    url: str
    sha256: str
    max_bytes: int = fetching.MAX_BYTES


def fetch(remote: Remote, data_dir: str) -> str:
    """Downloads a file to a directory, unless it is there.

    Returns:
      Its path.

    Raises:
      UserError: it cannot be had, or is not what it should be; the message says what
        to do by hand.
    """
    path = os.path.join(data_dir, os.path.basename(remote.url))
    if not os.path.lexists(path):
        os.makedirs(data_dir, exist_ok=True)
        try:
            fetching.download(remote.url, path, remote.max_bytes)
        except fetching.UnreachableError as error:
            raise UserError(
                f"{error}: get {os.path.basename(path)} by other means, put it into"
                f" {data_dir} and start again with --data_dir={data_dir}"
            ) from error
    if atomic_files.sha256(path) != remote.sha256:
        raise UserError(
            f"{path} is not the file that {remote.url} was (its SHA-256 differs from"
            f" {remote.sha256}): remove it and start again"
        )
    return path
