"""Finds the record that is at fault, once something has gone wrong."""

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator

import tensorflow as tf

from datasets import example_schema, pipeline_options
from datasets.dataset import Dataset
from datasets.photos import photo_codec
from datasets.records import record_frames
from errors import UserError

# What reading raises. TensorFlow quotes a record that it cannot parse in its message,
# and where that is no UTF-8 Python fails to build the exception.
READ_ERRORS = (tf.errors.OpError, UnicodeDecodeError)
_OP = re.compile(r" \[Op:\w+\]( name:.*)?$")


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
    # Where records are left out, all others were looked at before.
    fault = None if dataset.num_bad_records else find_unfit(dataset, labels_offset)
    return UserError(
        fault
        or f"reading {dataset.dataset_dir} failed although every record of split"
        f" {dataset.split_name!r} is sound: {one_line(error)}"
    )


@contextlib.contextmanager
def explained(dataset: Dataset, *, labels_offset: int = 0) -> Iterator[None]:
    """Replaces what reading raises inside by the `UserError` of `explain`.

    Args:
      dataset: what is read inside.
      labels_offset: what the pipeline was given.
    """
    try:
        yield
    except READ_ERRORS as error:
        raise explain(dataset, error, labels_offset=labels_offset) from error


def explain_place(dataset: Dataset, path: str, place: int, labels_offset: int) -> str:
    """Says what is wrong with a record: "FILE, record N (counted from 0): REASON".

    Args:
      dataset: says what labels and images should be.
      path: the file.
      place: of the record in it, counted from 0; it may be beyond a break.
      labels_offset: subtracted from labels before they are used.
    """
    frames = record_frames.walk(path)
    if place < frames.num_records:
        reason = _explain_at(
            tf.data.TFRecordDataset(path),
            place,
            lambda serialized: explain_record(serialized, dataset, labels_offset),
        )
    else:
        reason = frames.fault
    return f"{path}, record {place} (counted from 0): {reason}"


def find_unfit(dataset: Dataset, labels_offset: int) -> str | None:
    """Finds the first record of a dataset that the input pipeline would refuse.

    Args:
      dataset: its shards are read in order, every image is decoded.
      labels_offset: subtracted from labels before they are used.

    Returns:
      "FILE, record N (counted from 0): REASON", or None when all records are fit.
    """

    def check(serialized: tf.Tensor) -> tf.Tensor:
        features = example_schema.parse_example(
            serialized,
            label_default=dataset.label_default,
            format_default=dataset.format_default,
        )
        example_schema.check_label(features, dataset.num_classes, labels_offset)
        return example_schema.decode_image(
            example_schema.check_size(features), dataset.num_channels
        )

    return _find(
        [shard.path for shard in dataset.shards],
        check,
        lambda serialized: explain_record(serialized, dataset, labels_offset),
    )


def find_label_fault(dataset: Dataset, paths: Iterable[str]) -> str | None:
    """Finds the first record whose label is no class, decoding no image."""

    def check(serialized: tf.Tensor) -> tf.Tensor:
        features = example_schema.parse_example(
            serialized, label_default=dataset.label_default
        )
        return example_schema.check_label(features, dataset.num_classes)

    return _find(paths, check, lambda record: explain_record(record, dataset, 0))


def find_unreadable(paths: Iterable[str]) -> str | None:
    """Finds the first record that cannot be read, or is no example with a label."""

    def check(serialized: tf.Tensor) -> tf.Tensor:
        return example_schema.parse_labels(serialized[tf.newaxis])

    return _find([path for path in paths if os.path.isfile(path)], check, explain_type)


def _find(
    paths: Iterable[str],
    check: Callable[[tf.Tensor], tf.Tensor],
    explain: Callable[[bytes], str | None],
) -> str | None:
    """Reads files one at a time until a record cannot be read or fails `check`."""
    for path in paths:
        frames = record_frames.walk(path)
        records = tf.data.TFRecordDataset(path).take(frames.num_records)
        record = 0
        reason = None
        try:
            checked = records.map(check, num_parallel_calls=tf.data.AUTOTUNE)
            for _ in pipeline_options.apply(checked):
                record += 1
        except READ_ERRORS as error:
            reason = _explain_at(records, record, explain) or one_line(error)
        else:
            reason = frames.fault
        if reason:
            return f"{path}, record {record} (counted from 0): {reason}"
    return None


def record_bytes(serialized: tf.Tensor) -> tf.Tensor:
    """The size, int64, of a record in its file; of a batch of them, the sum.

    Those of all records make the size of the file. TensorFlow takes a file that ends
    within the length of a record for one that ends before it.
    """
    framing = 16  # length, its checksum, the checksum of the data
    return tf.reduce_sum(tf.cast(tf.strings.length(serialized) + framing, tf.int64))


def _explain_at(
    records: tf.data.Dataset, record: int, explain: Callable[[bytes], str | None]
) -> str | None:
    try:
        found = list(records.skip(record).take(1).as_numpy_iterator())
    except tf.errors.DataLossError:
        return record_frames.DAMAGED
    except tf.errors.OpError as error:
        return one_line(error)
    return explain(found[0]) if found else record_frames.TRUNCATED


def explain_record(
    serialized: bytes, dataset: Dataset, labels_offset: int
) -> str | None:
    """Says what is wrong with a record, in words; None when it is fit for use."""
    if reason := explain_type(serialized):
        return reason
    features = tf.train.Example.FromString(serialized).features.feature
    labels = features[example_schema.LABEL].int64_list.value
    if reason := explain_label(labels[0] if labels else None, dataset, labels_offset):
        return reason
    encoded = features[example_schema.ENCODED].bytes_list.value
    if not encoded or not encoded[0]:
        return f"it has no {example_schema.ENCODED!r}"
    source = features[example_schema.FILENAME].bytes_list.value
    photo = f" (photo {os.fsdecode(source[0])!r})" if source else ""
    try:
        parsed = example_schema.parse_example(
            tf.constant(serialized), format_default=dataset.format_default
        )
        pixels = int(example_schema.count_pixels(parsed))
        is_jpeg = bool(example_schema.is_jpeg(parsed))
        if pixels > photo_codec.max_pixels(is_jpeg=is_jpeg):
            limit = photo_codec.explain_limit(is_jpeg=is_jpeg)
            return (
                f"its image{photo} has {pixels:,} pixels, {limit}: write the record"
                " anew with a smaller one, or leave it out with --max_bad_records"
            )
        example_schema.decode_image(parsed, dataset.num_channels)
    except UnicodeDecodeError:  # see READ_ERRORS
        return "it is a tf.train.Example that TensorFlow cannot parse"
    except tf.errors.OpError as error:
        return f"its image{photo} cannot be decoded: {one_line(error)}"
    return None


def explain_type(serialized: bytes) -> str | None:
    """Says why a record is no `tf.train.Example` with one integer label, if so."""
    try:
        example = tf.train.Example.FromString(serialized)
    except Exception:  # protobuf's DecodeError has no public place to import it from
        return "it is not a tf.train.Example"
    label = example.features.feature[example_schema.LABEL]
    if label.WhichOneof("kind") not in (None, "int64_list"):
        return f"{example_schema.LABEL!r} is a {label.WhichOneof('kind')}, not an int64"
    if len(label.int64_list.value) > 1:
        return f"{example_schema.LABEL!r} holds {len(label.int64_list.value)} labels"
    return None


def explain_label(
    label: int | None, dataset: Dataset, labels_offset: int = 0
) -> str | None:
    """Says what is wrong with a label (None: absent); None when it is fit for use."""
    if label is None:
        if dataset.label_default >= 0:
            return None
        return f"it has no {example_schema.LABEL!r}"
    if labels_offset <= label < dataset.num_classes:
        return None
    less = f" less --labels_offset={labels_offset}" if labels_offset else ""
    return (
        f"its label {label}{less} is out of range, there are {dataset.num_classes}"
        f" classes; mend labels.txt or the record"
    )


def one_line(error: Exception) -> str:
    """What TensorFlow's message says, without the nodes and the code that it names."""
    message = getattr(error, "message", "").strip() or str(error)
    lines = [line for line in message.splitlines() if line.strip()]
    if lines[0] == "Graph execution error:":
        lines = [line for line in lines if not line.lstrip().startswith("[[")][-1:]
    return _OP.sub("", lines[0].rpartition("}} ")[2]).strip()
