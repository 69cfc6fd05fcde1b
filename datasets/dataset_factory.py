"""Finds the data set that a name and a directory stand for.

Folders describe themselves (`folder_splits`); slim's own data sets are registered here.
"""

from typing import Any

from datasets import (
    cifar10,
    flowers,
    folder_splits,
    imagenet,
    mnist,
    slim_dataset,
    split_counts,
    visualwakewords,
)
from datasets.dataset import Dataset
from datasets.dataset_spec import GENERIC_SPEC
from datasets.dataset_spec import DatasetSpec as DatasetSpec
from datasets.dataset_spec import register_dataset as register_dataset
from datasets.dataset_spec import registered as registered

# slim's data sets. Their examples are counted; the code states no numbers.
_STOCK = {
    "cifar10": cifar10,
    "flowers": flowers,
    "imagenet": imagenet,
    "mnist": mnist,
    "visualwakewords": visualwakewords,
}
for _name, _module in _STOCK.items():
    register_dataset(_name, _module.SPEC)

# As in slim, adding a module with a `get_split` like `flowers.get_split` here adds a
# data set of that name.
datasets_map: dict[str, Any] = dict(_STOCK)


def get_dataset(
    name: str,
    split_name: str,
    dataset_dir: str,
    file_pattern: str | None = None,
    reader: Any = None,
    *,
    max_bad_records: int = 0,
    labels_offset: int = 0,
) -> Dataset:
    """Describes a split of a data set from its files.

    Args:
      name: a stock or registered name, a key of `datasets_map`, the name in
        dataset.json, or the name that the TFRecords begin with.
      split_name: for instance "train".
      dataset_dir: the directory of the TFRecords.
      file_pattern: pattern of their names, %s standing for the split; None is the usual
        one.
      reader: class tf_slim reads them with; by default its TFRecord reader.
      max_bad_records: number of bad records that may be skipped. 0 leaves them to the
        input pipeline; with any other number every record is decoded once.
      labels_offset: subtracted from labels before they are used; here it only decides
        which labels are bad.

    Returns:
      The split, for the input pipeline and for tf_slim's `DatasetDataProvider`.

    Raises:
      UserError: name, split, directory or files are missing or do not match; the
        message names what there is.
    """
    folder_splits.require_directory(dataset_dir)
    tolerant = max_bad_records > 0
    if module := _own_module(name):
        source = module, name, split_name, dataset_dir, file_pattern, reader
        dataset = split_counts.sized(slim_dataset.from_module(*source), tolerant)
    else:
        dataset = folder_splits.get_split(
            *(name, split_name, dataset_dir, registered(name) or GENERIC_SPEC),
            file_pattern=file_pattern,
            tolerant=tolerant,
        )
    return folder_splits.usable(
        dataset, reader, max_bad_records=max_bad_records, labels_offset=labels_offset
    )


def available_splits(name: str, dataset_dir: str) -> tuple[str, ...]:
    """The splits of a data set that have files in the directory, sorted by name.

    Raises:
      UserError: there is no such directory or data set.
    """
    if splits := getattr(_own_module(name), "SPLITS_TO_SIZES", None):
        return tuple(sorted(splits))
    spec = registered(name) or GENERIC_SPEC
    return folder_splits.splits_in(name, dataset_dir, spec)


def _own_module(name: str) -> Any:
    """The module that a user added to `datasets_map`, if any."""
    module = datasets_map.get(name)
    return None if module is _STOCK.get(name) else module
