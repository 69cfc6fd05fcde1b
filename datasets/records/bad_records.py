"""Finds the bad records of a split, for `--max_bad_records`.

Every record is read, parsed and decoded once before training or evaluation: which ones
are skipped is then a property of the data, and order, epochs and resuming stay exact.
The result is kept in a side file.
"""

import dataclasses
import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from absl import logging

from common import storage
from common.atomic_files import combined
from common.progress import progress
from datasets import example_schema, pipeline_options
from datasets.dataset import Dataset, Shard
from datasets.records import record_faults, record_frames, side_file
from datasets.records.record_faults import record_bytes
from datasets.records.record_files import BUFFER_BYTES
from errors import UserError

FILENAME = "bad_records.json"
_FORMAT_VERSION = 1
_MAX_NAMED = 5
_BATCH = 64


@dataclasses.dataclass(frozen=True)
class _CheckedFile:
    """One file: its records, the indices of the bad ones, the labels of the others."""

    num_records: int
    bad_records: tuple[int, ...]
    labels: dict[int, int]


def leave_out(dataset: Dataset, max_bad_records: int, labels_offset: int) -> Dataset:
    """The data set without the records that the input pipeline would refuse.

    Records after a break in a file (a checksum that does not match, a truncated file)
    cannot be located, and count as bad.

    Args:
      dataset: its numbers of records need not be known.
      max_bad_records: maximum number of bad records to skip.
      labels_offset: subtracted from labels before they are used.

    Returns:
      The same files with their numbers of records and examples, and what to skip.

    Raises:
      UserError: there are more; the message names the first in excess.
    """
    checked = _check_files(dataset, labels_offset)
    shards = tuple(
        dataclasses.replace(
            shard, num_records=file.num_records, bad_records=file.bad_records
        )
        for shard, file in zip(dataset.shards, checked, strict=True)
    )
    _tell(dataset, shards, max_bad_records, labels_offset)
    labels = Counter[int]()
    for file in checked:
        labels.update(file.labels)
    places = [str(shard.bad_records) for shard in shards if shard.bad_records]
    return dataclasses.replace(
        dataset,
        shards=shards,
        num_examples=labels.total(),
        class_counts=tuple(labels[label] for label in range(dataset.num_classes)),
        fingerprint=combined([dataset.fingerprint, *places])
        if places
        else dataset.fingerprint,
    )


def _tell(
    dataset: Dataset, shards: Sequence[Shard], max_bad_records: int, labels_offset: int
) -> None:
    """Logs the first bad records; more than allowed is an error."""

    def fault(path: str, place: int) -> str:
        return record_faults.explain_place(dataset, path, place, labels_offset)

    bad = [(shard.path, place) for shard in shards for place in shard.bad_records]
    if len(bad) > max_bad_records:
        raise UserError(
            f"{len(bad)} records of split {dataset.split_name!r} are bad, more than"
            f" --max_bad_records={max_bad_records}: {fault(*bad[max_bad_records])}"
        )
    for path, place in bad[:_MAX_NAMED]:
        logging.warning("skipped: %s", fault(path, place))
    logging.info(
        "bad records skipped in split %r: %d (--max_bad_records=%d)",
        *(dataset.split_name, len(bad), max_bad_records),
    )


def _check_files(dataset: Dataset, labels_offset: int) -> list[_CheckedFile]:
    """Checks the files, or returns what was found before."""
    memory = os.path.join(dataset.dataset_dir, FILENAME)
    remembered = side_file.read(memory, _FORMAT_VERSION)
    settings = {
        "num_classes": dataset.num_classes,
        "num_channels": dataset.num_channels,
        "labels_offset": labels_offset,
        "label_default": dataset.label_default,
        "format_default": dataset.format_default,
    }
    files: dict[str, _CheckedFile] = {}
    new: dict[str, dict[str, Any]] = {}
    for shard in progress(
        dataset.shards, total=len(dataset.shards), desc="checking", unit="file"
    ):
        name = os.path.basename(shard.path)
        state = settings | {"sha256": shard.sha256}
        known = _from_json(remembered.get(name), state)
        files[name] = known or _check_file(shard, dataset, labels_offset)
        if not known:
            new[name] = state | dataclasses.asdict(files[name])
    if new:
        side_file.write(memory, _FORMAT_VERSION, remembered | new)
    return list(files.values())


def _from_json(entry: Any, state: dict[str, Any]) -> _CheckedFile | None:
    """What was found in a file of the same state; None if there is nothing."""
    try:
        if state != {name: entry[name] for name in state}:
            return None
        labels = {int(label): int(n) for label, n in entry["labels"].items()}
        bad_records = tuple(map(int, entry["bad_records"]))
        return _CheckedFile(int(entry["num_records"]), bad_records, labels)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _check_file(shard: Shard, dataset: Dataset, labels_offset: int) -> _CheckedFile:
    def check(place: tf.Tensor, serialized: tf.Tensor) -> tuple[tf.Tensor, ...]:
        features = example_schema.parse_example(
            serialized,
            label_default=dataset.label_default,
            format_default=dataset.format_default,
        )
        label = example_schema.check_label(features, dataset.num_classes, labels_offset)
        image = example_schema.decode_image(
            example_schema.check_size(features), dataset.num_channels
        )
        return place, label + labels_offset, tf.size(image)

    # Records beyond a break cannot be read; reading must not be attempted.
    whole = record_frames.walk(shard.path).num_records
    records = tf.data.TFRecordDataset(shard.path, buffer_size=BUFFER_BYTES).take(whole)
    sound = (
        records.enumerate()
        .map(check, num_parallel_calls=tf.data.AUTOTUNE)
        .ignore_errors()
        .batch(_BATCH)
    )
    labels = Counter[int]()
    bad: set[int] = set(range(_count_records(records, shard)))
    num_records = len(bad)
    for places, of_places, _ in pipeline_options.apply(sound).as_numpy_iterator():
        bad.difference_update(places.tolist())
        labels.update(of_places.tolist())
    return _CheckedFile(num_records, tuple(sorted(bad)), dict(labels))


def _count_records(records: tf.data.Dataset, shard: Shard) -> int:
    """The number of readable records plus those that are or must be beyond."""
    counted, num_bytes = 0, 0
    batches = records.ignore_errors().batch(_BATCH)
    sizes = batches.map(lambda batch: (tf.size(batch), record_bytes(batch)))
    for number, size in pipeline_options.apply(sizes):
        counted += int(number)
        num_bytes += int(size)
    is_broken = num_bytes != storage.size(shard.path)
    return max(shard.num_records, counted + is_broken)
