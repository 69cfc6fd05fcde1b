"""A split of a data set, as every other room sees it."""

import dataclasses
import functools
from typing import Any


@dataclasses.dataclass(frozen=True)
class Shard:
    """One TFRecord file.

    Attributes:
      path: the file.
      num_records: number of records it holds.
      num_bytes: its size.
      sha256: SHA-256 of its content, in hexadecimal digits.
      bad_records: sorted indices, from 0, of the records that are skipped.
      is_cut: the file holds more records than `num_records`, which are not read.
    """

    path: str
    num_records: int
    num_bytes: int
    sha256: str = ""
    bad_records: tuple[int, ...] = ()
    is_cut: bool = False

    @property
    def num_examples(self) -> int:
        """The number of records that are used."""
        return self.num_records - len(self.bad_records)


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A split of a data set, as found on disk.

    Attributes:
      name: the name it was requested by (`--dataset_name`).
      split_name: for instance "train".
      dataset_dir: the directory that holds the files.
      shards: the TFRecord files, sorted by name.
      num_examples: number of records in all shards, without skipped ones.
      num_classes: labels are in [0, num_classes).
      class_names: name of each label; None if unknown.
      class_counts: number of examples of each label.
      num_channels: 3 (RGB) or 1 (grayscale), as images are decoded.
      fingerprint: a hash that changes whenever the records do.
      label_default: label of records that have none; -1 makes that an error.
      format_default: format of records that name none; only "raw" matters.
      bits: bits per channel at which new photos are to be read; see `DatasetInfo`.
      reader_class: tf_slim's reader class for the files; None reads TFRecords.
      own: the `Dataset` of the data set's own module, if it has one.

    For tf_slim's `DatasetDataProvider` it also has the attributes of a tf_slim
    `Dataset`.
    """

    name: str
    split_name: str
    dataset_dir: str
    shards: tuple[Shard, ...]
    num_examples: int
    num_classes: int
    class_names: tuple[str, ...] | None
    class_counts: tuple[int, ...]
    num_channels: int = 3
    fingerprint: str = ""
    label_default: int = -1
    format_default: str = ""
    bits: int | None = None
    reader_class: Any = None
    own: Any = None

    @functools.cached_property
    def slim(self) -> Any:
        """This split as tf_slim's `Dataset`."""
        from datasets import slim_view  # here, since the scripts do without tf_slim

        return self.own or slim_view.of(self)

    data_sources = property(lambda self: self.slim.data_sources)
    reader = property(lambda self: self.slim.reader)
    decoder = property(lambda self: self.slim.decoder)
    num_samples = property(lambda self: self.slim.num_samples)
    items_to_descriptions = property(lambda self: self.slim.items_to_descriptions)
    labels_to_names = property(lambda self: self.slim.labels_to_names)

    @property
    def num_bad_records(self) -> int:
        """The number of records that are skipped, in all shards."""
        return sum(len(shard.bad_records) for shard in self.shards)
