"""The TFRecord files of photos: which photos each holds."""

import dataclasses
from collections.abc import Mapping, Sequence

from convert.tfrecords.source_photo import Checked


@dataclasses.dataclass(frozen=True)
class Shard:
    """A TFRecord file to be written.

    Attributes:
      split: its split.
      filename: its name.
      photos: what it holds, in order.
    """

    split: str
    filename: str
    photos: Sequence[Checked]


def shards_of(
    dataset_name: str, groups: Mapping[str, Sequence[Checked]], num_shards: int
) -> list[Shard]:
    """The files of a data set, each with consecutive photos of a split.

    Args:
      dataset_name: the start of their names.
      groups: the photos of each split.
      num_shards: number of files per split; fewer if it has fewer photos.
    """
    shards = []
    for split, photos in groups.items():
        names = filenames_of(f"{dataset_name}_{split}", min(num_shards, len(photos)))
        ends = bounds(len(photos), len(names))
        shards += [
            Shard(split, name, photos[start:end])
            for name, start, end in zip(names, ends, ends[1:], strict=False)
        ]
    return shards


def filenames_of(stem: str, number: int) -> list[str]:
    """`STEM_00000-of-00005.tfrecord` and so on, as slim names them."""
    return [f"{stem}_{shard:05d}-of-{number:05d}.tfrecord" for shard in range(number)]


def bounds(num_records: int, num_files: int) -> list[int]:
    """Where each file's records start, and, last, where the last one's end."""
    return [num_records * file // num_files for file in range(num_files + 1)]
