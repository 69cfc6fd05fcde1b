"""Converts a split to tf_slim's `Dataset`, for its readers, and back.

tf_slim is not imported until a function here is called: the scripts read records
without it.
"""

import glob
from typing import TYPE_CHECKING, Any

from datasets.dataset import Dataset, Shard
from errors import UserError

if TYPE_CHECKING:
    from nets import slim

_IMAGE = "image"
_LABEL = "label"
_IMAGE_KEY = "image/encoded"
_LABEL_KEY = "image/class/label"
_FORMAT_KEY = "image/format"
_DESCRIPTIONS = {
    _IMAGE: "The image, [height, width, channels] uint8.",
    _LABEL: "Its class, from 0 to the number of classes minus 1.",
}


def get_split(
    name: str,
    split_name: str,
    dataset_dir: str,
    file_pattern: str | None = None,
    reader: Any = None,
) -> "slim.dataset.Dataset":
    """A split of a data set for `slim.dataset_data_provider.DatasetDataProvider`.

    Args:
      name: name of the data set, as in `dataset_factory.get_dataset`.
      split_name: for instance "train".
      dataset_dir: the directory of the TFRecords.
      file_pattern: pattern of the file names, %s standing for the split; by default the
        data set's own.
      reader: by default `tf.compat.v1.TFRecordReader`.

    Returns:
      tf_slim's `Dataset`, with the items `image` and `label`, `num_samples` as counted,
      `num_classes`, and `labels_to_names`, which is None if they have no names.

    Raises:
      UserError: see `dataset_factory.get_dataset`; it is a ValueError, as in slim.
    """
    from datasets import (
        dataset_factory,
    )  # imported late: it imports the modules that call this

    dataset = dataset_factory.get_dataset(
        name, split_name, dataset_dir, file_pattern, reader
    )
    return dataset.slim


def to_slim(dataset: Dataset) -> "slim.dataset.Dataset":
    """tf_slim's `Dataset` of a split; see `get_split`."""
    import tensorflow as tf

    from nets import slim

    decoders = slim.tfexample_decoder
    keys_to_features = {
        _IMAGE_KEY: tf.io.FixedLenFeature([], tf.string, ""),
        _FORMAT_KEY: tf.io.FixedLenFeature([], tf.string, dataset.format_default),
        _LABEL_KEY: tf.io.FixedLenFeature([], tf.int64, dataset.label_default),
    }
    items_to_handlers = {
        _IMAGE: decoders.Image(channels=dataset.num_channels),
        _LABEL: decoders.Tensor(_LABEL_KEY, shape=[]),
    }
    names = dataset.class_names
    return slim.dataset.Dataset(
        # Readers take paths as patterns.
        data_sources=[glob.escape(shard.path) for shard in dataset.shards],
        reader=dataset.reader_class or tf.compat.v1.TFRecordReader,
        decoder=decoders.TFExampleDecoder(keys_to_features, items_to_handlers),
        num_samples=dataset.num_examples,
        items_to_descriptions=_DESCRIPTIONS,
        num_classes=dataset.num_classes,
        labels_to_names=dict(enumerate(names)) if names else None,
    )


def from_module(
    module: Any,
    name: str,
    split_name: str,
    dataset_dir: str,
    file_pattern: str | None,
    reader: Any,
) -> Dataset:
    """A split as described by a module written for slim.

    Args:
      module: has a `get_split` like this module's, without the name.
      name: name of the data set.
      split_name: for instance "train".
      dataset_dir: the directory of the TFRecords.
      file_pattern: see `get_split`.
      reader: see `get_split`.

    Returns:
      The split; its records are not counted yet.

    Raises:
      UserError: the module refuses the split, or the split has no files, does not
        state the number of classes, or stores images and labels under other keys than
        slim's data sets.
    """
    from nets import slim

    try:
        source = module.get_split(split_name, dataset_dir, file_pattern, reader)
        paths = slim.parallel_reader.get_data_files(source.data_sources)
    except ValueError as error:
        raise UserError(f"data set {name!r}, split {split_name!r}: {error}") from error
    num_classes = getattr(source, "num_classes", None)
    if not num_classes:
        raise UserError(
            f"the module of data set {name!r} gives no num_classes: pass it to"
            " slim.dataset.Dataset"
        )
    handlers, features = _schema(source, name)
    names = getattr(source, "labels_to_names", None)
    return Dataset(
        name=name,
        split_name=split_name,
        dataset_dir=dataset_dir,
        shards=tuple(Shard(path, 0, 0) for path in sorted(paths)),
        num_examples=0,
        num_classes=num_classes,
        class_names=names
        and tuple(names.get(label, str(label)) for label in range(num_classes)),
        class_counts=(),
        num_channels=handlers[_IMAGE]._channels,
        label_default=_default(features.get(_LABEL_KEY), -1),
        format_default=_default(features.get(_FORMAT_KEY), ""),
        own=source,
    )


def _schema(source: "slim.dataset.Dataset", name: str) -> tuple[dict, dict]:
    """The handlers of the decoder by item, and its features by key."""
    decoder = source.decoder
    handlers = getattr(decoder, "_items_to_handlers", {})
    for item, key in ((_IMAGE, _IMAGE_KEY), (_LABEL, _LABEL_KEY)):
        keys = handlers[item].keys if item in handlers else []
        if key not in keys:
            raise UserError(
                f"the module of data set {name!r} reads {item!r} from"
                f" {', '.join(keys) or 'nowhere'}, this program reads it from {key}:"
                " write the records with that key"
            )
    return handlers, decoder._keys_to_features


def _default(feature: Any, otherwise: Any) -> Any:
    """The default of a feature, a scalar, even if in an array of one."""
    import numpy as np

    value = getattr(feature, "default_value", None)
    return otherwise if value is None else np.asarray(value).item()
