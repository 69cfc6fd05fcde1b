"""The record that says what a split of a dataset is; every other room reads it."""

import dataclasses
import functools
from typing import Any


@dataclasses.dataclass(frozen=True)
class Shard:
    """One TFRecord file.

    Attributes:
      path: the file.
      num_records: how many it holds.
      num_bytes: its size.
      sha256: of its content, in hexadecimal digits.
      bad_records: places, from 0, of those that are left out, in order.
    """

    path: str
    num_records: int
    num_bytes: int
    sha256: str = ""
    bad_records: tuple[int, ...] = ()

    @property
    def num_examples(self) -> int:
        """The records that are used."""
        return self.num_records - len(self.bad_records)


@dataclasses.dataclass(frozen=True)
class Dataset:
    """One split of a dataset, as found on disk.

    Attributes:
      name: the name it was asked for by (`--dataset_name`).
      split_name: for instance "train".
      dataset_dir: the directory that holds the files.
      shards: the TFRecord files, sorted by name.
      num_examples: records in all shards, those left out not counted.
      num_classes: labels are in [0, num_classes).
      class_names: the name of each label; None when nothing says.
      class_counts: how many examples of each label this split has.
      num_channels: 3 (RGB) or 1 (grey), as images are decoded.
      fingerprint: changes when the records do.
      label_default: the label of a record that has none; -1 makes it an error.
      format_default: the format of a record that names none; only "raw" matters.
      bits: as how many a channel new photos are to be read; see `DatasetInfo`.
      reader_class: what tf_slim reads the files with; None is its reader of TFRecords.
      own: what the data set's own module says to tf_slim, where it has one.

    For tf_slim's `DatasetDataProvider` it also has what tf_slim's own `Dataset` has.
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
        from datasets import slim_dataset  # which needs tf_slim, and this module

        return self.own or slim_dataset.to_slim(self)

    data_sources = property(lambda self: self.slim.data_sources)
    reader = property(lambda self: self.slim.reader)
    decoder = property(lambda self: self.slim.decoder)
    num_samples = property(lambda self: self.slim.num_samples)
    items_to_descriptions = property(lambda self: self.slim.items_to_descriptions)
    labels_to_names = property(lambda self: self.slim.labels_to_names)

    @property
    def num_bad_records(self) -> int:
        """How many records of all shards are left out."""
        return sum(len(shard.bad_records) for shard in self.shards)
