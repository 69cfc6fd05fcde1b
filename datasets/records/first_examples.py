"""The first examples of a split, for `--num_examples`."""

import dataclasses
from collections import Counter

import tensorflow as tf

from common.atomic_files import combined
from datasets import example_schema, pipeline_options
from datasets.dataset import Dataset, Shard
from datasets.records import record_faults, record_files
from errors import UserError

_BATCH = 64


def first_examples(dataset: Dataset, num_examples: int) -> Dataset:
    """The split as if its files ended after so many examples.

    Args:
      dataset: its records are counted.
      num_examples: number of examples to keep, in the order of the files; 0 keeps all.

    Returns:
      The split with its counts and fingerprint; the records after the last example are
      not read.

    Raises:
      UserError: there are fewer examples, or a record cannot be read.
    """
    if num_examples in (0, dataset.num_examples):
        return dataset
    if num_examples > dataset.num_examples:
        raise UserError(
            f"--num_examples={num_examples}: split {dataset.split_name!r} holds only"
            f" {dataset.num_examples} examples; lower it, or leave it out to use all"
        )
    shards, left = [], num_examples
    for shard in dataset.shards:
        if not left:
            break
        shards.append(_first_of_shard(shard, left))
        left -= shards[-1].num_examples
    cut = dataclasses.replace(
        dataset,
        shards=tuple(shards),
        num_examples=num_examples,
        fingerprint=combined([dataset.fingerprint, str(num_examples)]),
    )
    return dataclasses.replace(cut, class_counts=_class_counts(cut))


def _first_of_shard(shard: Shard, num_examples: int) -> Shard:
    """The shard up to an example, or as it is if it holds no more."""
    if shard.num_examples <= num_examples:
        return shard
    bad = set(shard.bad_records)
    used = [place for place in range(shard.num_records) if place not in bad]
    end = used[num_examples - 1] + 1
    bad_records = tuple(place for place in shard.bad_records if place < end)
    return dataclasses.replace(
        shard, num_records=end, bad_records=bad_records, is_cut=True
    )


def _class_counts(dataset: Dataset) -> tuple[int, ...]:
    """The number of examples of each label, counted."""
    records = (
        tf.data.Dataset.range(len(dataset.shards))
        .flat_map(record_files.reader(dataset))
        .batch(_BATCH)
        .map(lambda _, batch: example_schema.parse_labels(batch))
    )
    counts = Counter[int]()
    with record_faults.explained(dataset):
        for labels in pipeline_options.apply(records).as_numpy_iterator():
            counts.update(labels.tolist())
    counts[dataset.label_default] += counts.pop(example_schema.MISSING_LABEL, 0)
    return tuple(counts[label] for label in range(dataset.num_classes))
