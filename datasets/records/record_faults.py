"""Finds the record at fault after an error."""

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator

import tensorflow as tf

from common import storage
from datasets import example_schema, pipeline_options
from datasets.dataset import Dataset
from datasets.photos import photo_codec
from datasets.records import record_frames
from errors import UserError

# What reading raises. TensorFlow quotes a record that it cannot parse in its message;
# if that is not UTF-8, Python fails to build the exception.
READ_ERRORS = (tf.errors.OpError, UnicodeDecodeError)
_OP = re.compile(r" \[Op:\w+\]( name:.*)?$")


def explain(dataset: Dataset, error: Exception, *, labels_offset: int = 0) -> UserError:
    """Names the record behind an error raised by a pipeline of this data set.

    Reads the files again, one at a time, until a record cannot be read, parsed or
    decoded, or has a label out of range.

    Args:
      dataset: the split that the pipeline read.
      error: its error, one of `READ_ERRORS`.
      labels_offset: that of the pipeline.

    Returns:
      The error to raise instead: one line, naming file and record if one is at fault.
    """
    # If records are skipped, all others have been checked before.
    fault = None if dataset.num_bad_records else find_unfit(dataset, labels_offset)
    return UserError(
        fault
        or f"reading {dataset.dataset_dir} failed although every record of split"
        f" {dataset.split_name!r} is valid: {without_nodes(error)}"
    )


@contextlib.contextmanager
def explained(dataset: Dataset, *, labels_offset: int = 0) -> Iterator[None]:
    """Replaces read errors raised inside by the `UserError` of `explain`.

    Args:
      dataset: the split that is read inside.
      labels_offset: that of the pipeline.
    """
    try:
        yield
    except READ_ERRORS as error:
        raise explain(dataset, error, labels_offset=labels_offset) from error


def explain_place(dataset: Dataset, path: str, place: int, labels_offset: int) -> str:
    """States what is wrong with a record: "FILE, record N (counted from 0): REASON".

    Args:
      dataset: states which labels and images are valid.
      path: the file.
      place: index of the record in it, from 0; it may be beyond a break.
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
    """Finds the first record of a data set that the input pipeline would refuse.

    Args:
      dataset: its shards are read in order, and every image is decoded.
      labels_offset: subtracted from labels before they are used.

    Returns:
      "FILE, record N (counted from 0): REASON", or None if all records are valid.
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
    """Finds the first record whose label is not a class, without decoding images."""

    def check(serialized: tf.Tensor) -> tf.Tensor:
        features = example_schema.parse_example(
            serialized, label_default=dataset.label_default
        )
        return example_schema.check_label(features, dataset.num_classes)

    return _find(paths, check, lambda record: explain_record(record, dataset, 0))


def find_unreadable(paths: Iterable[str]) -> str | None:
    """Finds the first record that cannot be read or is not an example with a label."""

    def check(serialized: tf.Tensor) -> tf.Tensor:
        return example_schema.parse_labels(serialized[tf.newaxis])

    return _find([path for path in paths if storage.is_file(path)], check, explain_type)


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
            reason = _explain_at(records, record, explain) or without_nodes(error)
        else:
            reason = frames.fault
        if reason:
            return f"{path}, record {record} (counted from 0): {reason}"
    return None


def record_bytes(serialized: tf.Tensor) -> tf.Tensor:
    """The size, int64, of a record in its file; of a batch, the sum.

    All records together have the size of the file. TensorFlow treats a file that ends
    inside the length of a record as one that ends before it.
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
        return without_nodes(error)
    return explain(found[0]) if found else record_frames.TRUNCATED


def explain_record(
    serialized: bytes, dataset: Dataset, labels_offset: int
) -> str | None:
    """States what is wrong with a record; None if it is valid."""
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
                f"its image{photo} has {pixels:,} pixels, {limit}: shrink it in"
                " the record, or skip the record with --max_bad_records"
            )
        example_schema.decode_image(parsed, dataset.num_channels)
    except UnicodeDecodeError:  # see READ_ERRORS
        return "it is a tf.train.Example that TensorFlow cannot parse"
    except tf.errors.OpError as error:
        return f"its image{photo} cannot be decoded: {without_nodes(error)}"
    return None


def explain_type(serialized: bytes) -> str | None:
    """States why a record is not a `tf.train.Example` with one integer label, if so."""
    try:
        example = tf.train.Example.FromString(serialized)
    except Exception:  # protobuf's DecodeError cannot be imported from a public place
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
    """States what is wrong with a label (None: missing); None if it is valid."""
    if label is None:
        if dataset.label_default >= 0:
            return None
        return f"it has no {example_schema.LABEL!r}"
    if labels_offset <= label < dataset.num_classes:
        return None
    less = f" minus --labels_offset={labels_offset}" if labels_offset else ""
    return (
        f"its label {label}{less} is out of range, there are {dataset.num_classes}"
        f" classes; correct labels.txt or the record"
    )


def without_nodes(error: Exception) -> str:
    """TensorFlow's message without the nodes and the code it names."""
    message = getattr(error, "message", "").strip() or str(error)
    lines = [line for line in message.splitlines() if line.strip()]
    if lines[0] == "Graph execution error:":
        lines = [line for line in lines if not line.lstrip().startswith("[[")][-1:]
    return _OP.sub("", lines[0].rpartition("}} ")[2]).strip()
