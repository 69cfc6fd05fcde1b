"""The photos that the records of a data set were made from."""

import tensorflow as tf

from datasets import example_schema, pipeline_options
from datasets.dataset import Dataset
from datasets.records import record_files

_BATCH = 1024  # records parsed at once


def read(dataset: Dataset, count: int) -> list[str]:
    """Reads which photos the first records of a data set were made from.

    Args:
      dataset: the split, whose shards are read in order.
      count: number of records to read.

    Returns:
      A name per record; "" if the record has none.
    """
    feature = tf.io.FixedLenFeature([], tf.string, "")

    def parse(serialized: tf.Tensor) -> tf.Tensor:
        features = {example_schema.FILENAME: feature}
        return tf.io.parse_example(serialized, features)[example_schema.FILENAME]

    read = record_files.reader(dataset)
    files = tf.data.Dataset.range(len(dataset.shards))
    records = files.flat_map(lambda file: read(file).map(lambda _, record: record))
    batches = records.take(count).batch(_BATCH).map(parse)
    return [
        name.decode("utf-8", "backslashreplace")
        for batch in pipeline_options.apply(batches).as_numpy_iterator()
        for name in batch
    ]
