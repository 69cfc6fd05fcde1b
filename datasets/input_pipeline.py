"""Batches for training and evaluation, from TFRecords.

The order of training examples and their augmentation are a pure function of (seed,
epoch, position), whatever the number of readers and threads, so that a run that was
killed resumes to the same bits.
"""

from collections.abc import Callable

import tensorflow as tf

from datasets import example_schema, record_faults
from datasets.dataset import Dataset
from datasets.record_faults import READ_ERRORS as READ_ERRORS
from errors import UserError

# (image [H, W, C] uint8, seed [2] int64) → [h, w, c] float32
PreprocessFn = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

# Encoded records are held in memory up to this size; larger sets are shuffled through
# a buffer of it.
_MEMORY_BYTES = 1 << 30
# Files read in turn where a set exceeds memory. A constant, since the order of the
# examples depends on it.
_FILES_IN_TURN = 16


def train_batches(
    dataset: Dataset,
    preprocess_fn: PreprocessFn,
    *,
    batch_size: int,
    seed: int,
    labels_offset: int = 0,
    num_readers: int = 4,
    num_threads: int = 4,
    start_batch: int = 0,
) -> tf.data.Dataset:
    """Endless shuffled batches; every epoch holds each example once.

    Epochs follow each other without a seam: a batch may hold the end of one and the
    beginning of the next.

    Args:
      dataset: what to read.
      preprocess_fn: augments one image; all its randomness comes from the seed.
      batch_size: examples in every batch.
      seed: decides order and augmentation.
      labels_offset: subtracted from labels.
      num_readers: files read at the same time.
      num_threads: images decoded at the same time; tf.data.AUTOTUNE (-1) leaves the
        number to TensorFlow.
      start_batch: batches of the stream to leave out at the start; their images are
        not decoded.

    Returns:
      Elements {"image": [batch_size, h, w, c] float32, "label": [batch_size] int32 in
      [0, num_classes - labels_offset)}.

    Raises:
      UserError: a record cannot be read. Later ones come as `READ_ERRORS` while
        iterating: see `explain`.
    """
    records = _records_by_epoch(dataset, seed, num_readers)
    first_epoch, first_position = divmod(start_batch * batch_size, dataset.num_examples)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        numbered = records(epoch).enumerate()
        return numbered.map(lambda position, record: (epoch, position, record))

    def load(
        epoch: tf.Tensor, position: tf.Tensor, record: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        image, label = _parse(record, dataset, labels_offset)
        example_seed = augmentation_seed(seed, epoch, position, dataset.num_examples)
        return {"image": preprocess_fn(image, example_seed), "label": label}

    batches = (
        tf.data.Dataset.range(first_epoch, tf.int64.max)
        .flat_map(one_epoch)
        .skip(first_position)
        .map(load, num_parallel_calls=num_threads)
        .batch(batch_size, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )
    return _deterministic(batches)


def eval_batches(
    dataset: Dataset,
    preprocess_fn: PreprocessFn,
    *,
    batch_size: int,
    labels_offset: int = 0,
    num_threads: int = 4,
) -> tf.data.Dataset:
    """Batches that hold each example once, in the order of the files.

    Args:
      dataset: what to read.
      preprocess_fn: prepares one image; its seed is always 0.
      batch_size: examples in every batch; the last one is filled up with zeros.
      labels_offset: subtracted from labels.
      num_threads: images decoded at the same time; tf.data.AUTOTUNE (-1) leaves the
        number to TensorFlow.

    Returns:
      ceil(num_examples / batch_size) elements {"image": [batch_size, h, w, c] float32,
      "label": [batch_size] int32, "mask": [batch_size] bool, False where the batch is
      filled up, "shard" and "record": [batch_size] int32, the index into
      `dataset.shards` and the place in that file, both counted from 0}.
    """

    def numbered_records(shard: tf.Tensor, path: tf.Tensor) -> tf.data.Dataset:
        records = tf.data.TFRecordDataset(path, buffer_size=8 << 20).enumerate()
        return records.map(lambda place, record: (shard, place, record))

    def load(
        shard: tf.Tensor, place: tf.Tensor, record: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        image, label = _parse(record, dataset, labels_offset)
        return {
            "image": preprocess_fn(image, tf.zeros([2], tf.int64)),
            "label": label,
            "mask": True,
            "shard": shard,
            "record": tf.cast(place, tf.int32),
        }

    def fill_up(tensor: tf.Tensor) -> tf.Tensor:
        absent = batch_size - tf.shape(tensor)[0]
        filled = tf.pad(tensor, [[0, absent]] + [[0, 0]] * (tensor.shape.rank - 1))
        return tf.ensure_shape(filled, [batch_size, *tensor.shape[1:]])

    def fill_up_all(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {key: fill_up(tensor) for key, tensor in batch.items()}

    paths = [shard.path for shard in dataset.shards]
    num_batches = -(-dataset.num_examples // batch_size)
    batches = (
        tf.data.Dataset.from_tensor_slices((tf.range(len(paths)), paths))
        .flat_map(numbered_records)
        .map(load, num_parallel_calls=num_threads)
        .batch(batch_size)
        .map(fill_up_all)
        .apply(tf.data.experimental.assert_cardinality(num_batches))
        .prefetch(tf.data.AUTOTUNE)
    )
    return _deterministic(batches)


def explain(dataset: Dataset, error: Exception, *, labels_offset: int = 0) -> UserError:
    """Names the record behind an error that a pipeline of this dataset raised.

    Reads the files anew, one at a time, until a record cannot be read, parsed or
    decoded, or has a label out of range.

    Args:
      dataset: what the pipeline read.
      error: what it raised, one of `READ_ERRORS`.
      labels_offset: what the pipeline was given.

    Returns:
      The error to raise instead: one line, with file and record if one is at fault.
    """
    fault = record_faults.find_unfit(dataset, labels_offset)
    return UserError(
        fault
        or f"reading {dataset.dataset_dir} failed although every record of split"
        f" {dataset.split_name!r} is sound: {record_faults.one_line(error)}"
    )


def shuffle_seed(seed: int, epoch: tf.Tensor) -> tf.Tensor:
    """The stateless seed, [2] int64, of an epoch's order; the second is negative."""
    return tf.stack([tf.constant(seed, tf.int64), -1 - tf.cast(epoch, tf.int64)])


def augmentation_seed(
    seed: int, epoch: tf.Tensor, position: tf.Tensor, num_examples: int
) -> tf.Tensor:
    """The stateless seed, [2] int64, of one example in one epoch; never negative."""
    place = tf.cast(epoch, tf.int64) * num_examples + tf.cast(position, tf.int64)
    return tf.stack([tf.constant(seed, tf.int64), place])


def _records_by_epoch(
    dataset: Dataset, seed: int, num_readers: int
) -> Callable[[tf.Tensor], tf.data.Dataset]:
    """A function: epoch → its encoded records, each once, in the epoch's order."""
    if sum(shard.num_bytes for shard in dataset.shards) <= _MEMORY_BYTES:
        return _from_memory(dataset, seed, num_readers)
    return _from_files(dataset, seed, num_readers)


def _from_memory(
    dataset: Dataset, seed: int, num_readers: int
) -> Callable[[tf.Tensor], tf.data.Dataset]:
    """Keeps all encoded records, so that an epoch is an even shuffle of the whole."""
    try:
        encoded = _read_all(dataset, num_readers)
    except READ_ERRORS as error:
        raise explain(dataset, error) from error

    def records(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(dataset.num_examples), shuffle_seed(seed, epoch)
        )
        return tf.data.Dataset.from_tensor_slices(order).map(
            lambda index: encoded[index]
        )

    return records


def _read_all(dataset: Dataset, num_readers: int) -> tf.Tensor:
    """All records in the order of the files, [num_examples] strings."""

    def whole_file(path: tf.Tensor) -> tf.Tensor:
        records = tf.data.TFRecordDataset(path, buffer_size=8 << 20)
        return records.batch(most).get_single_element()

    most = max(shard.num_records for shard in dataset.shards)
    paths = [shard.path for shard in dataset.shards if shard.num_records]
    files = tf.data.Dataset.from_tensor_slices(paths).map(
        whole_file, num_parallel_calls=num_readers, deterministic=True
    )
    encoded = tf.concat(list(files), axis=0)
    if encoded.shape[0] != dataset.num_examples:
        raise UserError(
            f"{dataset.dataset_dir} holds {encoded.shape[0]} records of split"
            f" {dataset.split_name!r} where {dataset.num_examples} were counted: the"
            " files changed; start again"
        )
    return encoded


def _from_files(
    dataset: Dataset, seed: int, num_readers: int
) -> Callable[[tf.Tensor], tf.data.Dataset]:
    """Reads files in a new order each epoch, through a shuffle buffer."""
    paths = [shard.path for shard in dataset.shards]
    num_bytes = sum(shard.num_bytes for shard in dataset.shards)
    buffer_size = max(1, _MEMORY_BYTES * dataset.num_examples // num_bytes)

    def records(epoch: tf.Tensor) -> tf.data.Dataset:
        epoch_seed = shuffle_seed(seed, epoch)
        files = tf.random.experimental.stateless_shuffle(tf.constant(paths), epoch_seed)
        buffer_seed = tf.random.stateless_uniform(
            [], epoch_seed, minval=None, maxval=None, dtype=tf.int64
        )
        return (
            tf.data.Dataset.from_tensor_slices(files)
            .interleave(
                lambda path: tf.data.TFRecordDataset(path, buffer_size=8 << 20),
                cycle_length=_FILES_IN_TURN,
                num_parallel_calls=min(num_readers, _FILES_IN_TURN),
                deterministic=True,
            )
            .shuffle(buffer_size, seed=buffer_seed, reshuffle_each_iteration=False)
        )

    return records


def _parse(
    record: tf.Tensor, dataset: Dataset, labels_offset: int
) -> tuple[tf.Tensor, tf.Tensor]:
    features = example_schema.parse_example(
        record,
        label_default=dataset.label_default,
        format_default=dataset.format_default,
    )
    label = example_schema.check_label(features, dataset.num_classes, labels_offset)
    return example_schema.decode_image(features, dataset.num_channels), label


def _deterministic(batches: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    options.deterministic = True
    return batches.with_options(options)
