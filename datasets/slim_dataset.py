"""Splits of data sets that a module written for slim describes.

tf_slim is not imported until a function here is called: the scripts read records
without it.
"""

from typing import TYPE_CHECKING, Any

from datasets.dataset import Dataset, Shard
from datasets.dataset_spec import DatasetSpec
from datasets.slim_view import FORMAT_KEY, IMAGE, IMAGE_KEY, LABEL, LABEL_KEY
from errors import UserError

if TYPE_CHECKING:
    from nets import slim


def get_split(
    name: str,
    spec: DatasetSpec,
    split_name: str,
    dataset_dir: str,
    file_pattern: str | None = None,
    reader: Any = None,
) -> "slim.dataset.Dataset":
    """A split of a data set for `slim.dataset_data_provider.DatasetDataProvider`.

    Args:
      name: name of the data set.
      spec: the facts that its files do not state.
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
    from datasets import folder_splits  # here, as it imports TensorFlow

    split = folder_splits.get_split(
        name, split_name, dataset_dir, spec, file_pattern=file_pattern
    )
    return folder_splits.usable(split, reader).slim


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
        num_channels=handlers[IMAGE]._channels,
        label_default=_default(features.get(LABEL_KEY), -1),
        format_default=_default(features.get(FORMAT_KEY), ""),
        own=source,
    )


def _schema(source: "slim.dataset.Dataset", name: str) -> tuple[dict, dict]:
    """The handlers of the decoder by item, and its features by key."""
    decoder = source.decoder
    handlers = getattr(decoder, "_items_to_handlers", {})
    for item, key in ((IMAGE, IMAGE_KEY), (LABEL, LABEL_KEY)):
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
