"""Batches for training and evaluation, from TFRecords.

The order and augmentation of training examples are a pure function of (seed, epoch,
index), whatever the number of readers and threads, so that a run that was killed
resumes bit for bit.
"""

from collections.abc import Callable

import tensorflow as tf

from datasets import example_schema, pipeline_options
from datasets.dataset import Dataset
from datasets.mixed_in import MixedIn
from datasets.records import record_files, record_stream
from datasets.records.encoded_photo import EncodedPhoto
from datasets.records.record_index import RecordIndex
from datasets.records.record_stream import RecordStream
from datasets.records.skip_timer import SkipTimer

# (photo [H, W, C] uint8, seed [2] int64) → [h, w, c] float32
PhotoPreprocessFn = Callable[[EncodedPhoto, tf.Tensor], tf.Tensor]

_MIXED_IN = 1 << 62  # more than any number of a view


class TrainExamples:
    """The examples of a split for training, shared by all the batches of a run.

    What takes long is done once: to read a split that memory holds, and to trace how an
    example is loaded, which takes half a second.

    Attributes:
      dataset: the split.
      num_readers: number of files read in parallel.
      records: the split's records.
      load: from the number of a view of an example, [] int64, and its record, []
        string, to an element of `train_batches`, without the batch.
    """

    def __init__(
        self,
        dataset: Dataset,
        preprocess_fn: PhotoPreprocessFn,
        *,
        seed: int,
        labels_offset: int = 0,
        num_readers: int = 4,
    ) -> None:
        """Reads nothing yet.

        Args:
          dataset: the split.
          preprocess_fn: augments one photo, which decodes only the pixels it is asked
            for; all randomness comes from the seed.
          seed: determines the augmentation.
          labels_offset: subtracted from labels.
          num_readers: number of files read in parallel.
        """
        self.dataset = dataset
        self.num_readers = num_readers
        self.records = RecordStream(dataset, num_readers)

        def load(number: tf.Tensor, record: tf.Tensor) -> dict[str, tf.Tensor]:
            photo, label = _parse(record, dataset, labels_offset)
            example_seed = tf.stack([tf.constant(seed, tf.int64), number])
            return {"image": preprocess_fn(photo, example_seed), "label": label}

        # Autograph would take a second to rewrite every function called, to no effect.
        self.load = tf.function(load, autograph=False)


@tf.autograph.experimental.do_not_convert
def train_batches(
    examples: TrainExamples,
    *,
    batch_size: int,
    seed: int,
    num_threads: int = 4,
    start_batch: int = 0,
    num_views: int | None = None,
    is_balanced: bool = False,
    mixed_in: MixedIn | None = None,
    part: tuple[int, int] = (0, 1),
    shuffles_whole: bool = False,
) -> tf.data.Dataset:
    """Infinite shuffled batches; every epoch holds each example once.

    If balanced, it holds as many examples, of each class in turn, some more than once.

    Batches may cross epochs, holding the end of one and the beginning of the next.

    Args:
      examples: what to read.
      batch_size: number of examples per batch.
      seed: determines the order.
      num_threads: number of images decoded in parallel; tf.data.AUTOTUNE (-1) leaves it
        to TensorFlow.
      start_batch: number of batches to skip at the start; their images are not decoded.
      num_views: number of augmented versions of an example, used by the epochs in turn;
        None makes a new one each epoch.
      is_balanced: whether the examples of the classes take turns.
      mixed_in: a split of the same data set that shares the batches.
      part: (k, n) gives the k-th of n equal parts of every batch, from 0. Only its
        images are decoded; all parts together are the batch, in order.
      shuffles_whole: whether a split that memory does not hold is shuffled as a whole,
        by the places of its records, and not through a buffer.

    Returns:
      Elements {"image": [batch_size / n, h, w, c] float32, "label": [batch_size / n]
      int32 in [0, num_classes - labels_offset)}.

    Raises:
      UserError: a record cannot be read. While iterating, errors are
        `record_faults.READ_ERRORS`: see `record_faults.explain`.
    """
    dataset = examples.dataset
    first, first_mixed_in = start_batch * batch_size, 0
    if mixed_in:
        first, first_mixed_in = mixed_in.examples_before(start_batch, batch_size)
    skip_timer = SkipTimer(first % dataset.num_examples)
    read: Callable[[tf.Tensor], tf.Tensor] = tf.identity
    if shuffles_whole and not (is_balanced or record_stream.fits_memory(dataset)):
        index = RecordIndex(dataset)
        records, read = index.by_epoch(seed), index.read
    else:
        records = examples.records.by_epoch(seed, is_balanced=is_balanced)
    numbered = _numbered(records, dataset, first, num_views, skip_timer)
    if mixed_in:
        numbered = numbered.map(lambda number, record: (number, read(record)))
        read = tf.identity
        others = RecordStream(mixed_in.dataset, examples.num_readers).by_epoch(seed)
        mixed = _numbered(others, mixed_in.dataset, first_mixed_in, num_views)
        numbered = tf.data.Dataset.choose_from_datasets(
            # Their numbers, and so their augmentations, differ from all others.
            [numbered, mixed.map(lambda number, r: (number + _MIXED_IN, r))],
            mixed_in.sources(start_batch, batch_size),
        )

    which, num_parts = part
    rows = batch_size // num_parts
    if num_parts > 1:
        numbered = (
            numbered.enumerate()
            .filter(lambda place, _: place // rows % num_parts == which)
            .map(lambda _, example: example)
        )

    batches = numbered.map(
        lambda number, record: examples.load(number, read(record)),
        num_parallel_calls=num_threads,
    ).batch(rows, drop_remainder=True)
    return pipeline_options.apply(skip_timer.stop(batches).prefetch(tf.data.AUTOTUNE))


def _numbered(
    records: record_stream.Records,
    dataset: Dataset,
    first: int,
    num_views: int | None,
    skip_timer: SkipTimer | None = None,
) -> tf.data.Dataset:
    """All epochs of a split, one after the other: (number of the view, record).

    Args:
      records: its records, by epoch.
      dataset: the split.
      first: how many elements to leave out at the start.
      num_views: see `train_batches`.
      skip_timer: measures how long that takes.
    """
    first_epoch, first_position = divmod(first, dataset.num_examples)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        start = tf.where(epoch == first_epoch, first_position, 0)
        return records(epoch, tf.cast(start, tf.int64)).map(
            lambda times, index, record: (
                _number(
                    times if num_views is None else times % num_views,
                    index,
                    dataset.num_examples,
                ),
                record,
            )
        )

    epochs = tf.data.Dataset.range(first_epoch, tf.int64.max)
    return (skip_timer.start(epochs) if skip_timer else epochs).flat_map(one_epoch)


def even_batch_size(num_examples: int, most: int) -> int:
    """The size of batches that hold all examples with as little padding as can be.

    There are no more of them than of the largest ones: of 240 images, in batches of at
    most 100, three of 80, where two of 100 would be followed by one with 60 zeros.

    Args:
      num_examples: at least 1.
      most: examples per batch.
    """
    num_batches = -(-num_examples // most)
    return -(-num_examples // num_batches)


@tf.autograph.experimental.do_not_convert
def eval_batches(
    dataset: Dataset,
    preprocess_fn: PhotoPreprocessFn,
    *,
    batch_size: int,
    labels_offset: int = 0,
    num_threads: int = 4,
    seed: int = 0,
    view: int = 0,
    first: int = 0,
    part: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Batches that hold each example once, in the order of the files.

    Args:
      dataset: what to read.
      preprocess_fn: preprocesses one photo, which decodes only the pixels it is asked
        for; "image" is whatever it gives, batched, tensors by name, too.
      batch_size: number of examples per batch; the last one is padded with zeros.
      labels_offset: subtracted from labels.
      num_threads: number of images decoded in parallel; tf.data.AUTOTUNE (-1) leaves it
        to TensorFlow.
      seed: determines the augmentation, if `preprocess_fn` augments.
      view: epoch of `train_batches` whose augmentation to use.
      first: index of the first example; those before it are skipped.
      part: (k, n) gives every n-th batch, from number k on, counted from 0; only the
        images of these are decoded.

    Returns:
      ceil(num_examples / batch_size) elements, if all are given, {"image":
      [batch_size, h, w, c] float32, "label": [batch_size] int32, "mask": [batch_size]
      bool, False for padding, "shard" and "record": [batch_size] int32, the index into
      `dataset.shards` and the index in that file, both from 0}.
    """
    read = record_files.reader(dataset)

    def numbered_records(shard: tf.Tensor) -> tf.data.Dataset:
        return read(shard).map(lambda place, record: (shard, place, record))

    def load(
        index: tf.Tensor, numbered: tuple[tf.Tensor, tf.Tensor, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        shard, place, record = numbered
        photo, label = _parse(record, dataset, labels_offset)
        example_seed = augmentation_seed(seed, view, index, dataset.num_examples)
        return {
            "image": preprocess_fn(photo, example_seed),
            "label": label,
            "mask": True,
            "shard": shard,
            "record": tf.cast(place, tf.int32),
        }

    which, num_parts = part
    num_batches = -(-(dataset.num_examples - first) // batch_size)
    num_batches = len(range(which, num_batches, num_parts))
    records = (
        tf.data.Dataset.from_tensor_slices(tf.range(len(dataset.shards)))
        .flat_map(numbered_records)
        .enumerate()
        .skip(first)
    )
    if num_parts > 1:
        records = records.filter(
            lambda index, _: (index - first) // batch_size % num_parts == which
        )
    batches = (
        records.map(load, num_parallel_calls=num_threads)
        .batch(batch_size)
        .map(lambda batch: _padded(batch, batch_size))
        .apply(tf.data.experimental.assert_cardinality(num_batches))
        .prefetch(tf.data.AUTOTUNE)
    )
    return pipeline_options.apply(batches)


def _padded(batch: dict[str, tf.Tensor], batch_size: int) -> dict[str, tf.Tensor]:
    """Fills up the last batch with zeros."""

    def pad(tensor: tf.Tensor) -> tf.Tensor:
        absent = batch_size - tf.shape(tensor)[0]
        padded = tf.pad(tensor, [[0, absent]] + [[0, 0]] * (tensor.shape.rank - 1))
        return tf.ensure_shape(padded, [batch_size, *tensor.shape[1:]])

    return tf.nest.map_structure(pad, batch)


def augmentation_seed(
    seed: int, view: tf.Tensor, index: tf.Tensor, num_examples: int
) -> tf.Tensor:
    """The stateless seed, [2] int64, not negative, of a view of an example."""
    number = _number(view, index, num_examples)
    return tf.stack([tf.constant(seed, tf.int64), number])


def _number(view: tf.Tensor, index: tf.Tensor, num_examples: int) -> tf.Tensor:
    """The number of a view of an example among all views of a split, int64."""
    return tf.cast(view, tf.int64) * num_examples + tf.cast(index, tf.int64)


def _parse(
    record: tf.Tensor, dataset: Dataset, labels_offset: int
) -> tuple[EncodedPhoto, tf.Tensor]:
    features = example_schema.parse_example(
        record,
        label_default=dataset.label_default,
        format_default=dataset.format_default,
    )
    label = example_schema.check_label(features, dataset.num_classes, labels_offset)
    return EncodedPhoto(features, dataset.num_channels), label
