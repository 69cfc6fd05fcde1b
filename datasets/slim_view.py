"""A split as tf_slim's readers want it: its `Dataset`.

tf_slim is not imported until a split is asked for: the scripts read records without it.
"""

import glob
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nets import slim

IMAGE = "image"
LABEL = "label"
IMAGE_KEY = "image/encoded"
LABEL_KEY = "image/class/label"
FORMAT_KEY = "image/format"
_DESCRIPTIONS = {
    IMAGE: "The image, [height, width, channels] uint8.",
    LABEL: "Its class, from 0 to the number of classes minus 1.",
}


def of(split: Any) -> "slim.dataset.Dataset":
    """tf_slim's `Dataset` of a split.

    Args:
      split: a `datasets.dataset.Dataset`, whose module imports this one.

    Returns:
      With the items `image` and `label`, `num_samples` as counted, `num_classes`, and
      `labels_to_names`, which is None if the classes have no names.
    """
    import tensorflow as tf

    from nets import slim

    decoders = slim.tfexample_decoder
    keys_to_features = {
        IMAGE_KEY: tf.io.FixedLenFeature([], tf.string, ""),
        FORMAT_KEY: tf.io.FixedLenFeature([], tf.string, split.format_default),
        LABEL_KEY: tf.io.FixedLenFeature([], tf.int64, split.label_default),
    }
    items_to_handlers = {
        IMAGE: decoders.Image(channels=split.num_channels),
        LABEL: decoders.Tensor(LABEL_KEY, shape=[]),
    }
    names = split.class_names
    return slim.dataset.Dataset(
        # Readers take paths as patterns.
        data_sources=[glob.escape(shard.path) for shard in split.shards],
        reader=split.reader_class or tf.compat.v1.TFRecordReader,
        decoder=decoders.TFExampleDecoder(keys_to_features, items_to_handlers),
        num_samples=split.num_examples,
        items_to_descriptions=_DESCRIPTIONS,
        num_classes=split.num_classes,
        labels_to_names=dict(enumerate(names)) if names else None,
    )
