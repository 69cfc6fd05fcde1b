"""Converts a collection to a data set, which appears as a whole or not at all."""

import collections
import glob
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from common.in_order import in_order
from common.progress import progress
from convert.photos import provenance, summary
from convert.public_data.collection import Collection, Example, Usable, normalize_some
from convert.tfrecords import parallel, rejections, shard_writer, staging
from convert.tfrecords.rejections import Rejection
from datasets import dataset_json, labels
from datasets.dataset_json import DatasetInfo, SplitInfo
from errors import UserError

_EXAMPLES_PER_TASK = 16


def convert(
    read: Callable[[], Collection],
    *,
    dataset_dir: str,
    dataset_name: str,
    settings: Mapping[str, Any],
    num_workers: int,
) -> None:
    """Converts a collection, or reports that this has been done already.

    Args:
      read: returns the collection; not called if the data set exists.
      dataset_dir: folder for the data set.
      dataset_name: its name.
      settings: all flags that determine its content, for dataset.json.
      num_workers: number of processes that check images.

    Raises:
      UserError: `dataset_dir` holds another data set, or too many images are damaged.
    """
    made = {
        "by": "convert/download_and_convert_data.py",
        "settings": dict(settings),
        "versions": provenance.versions("pillow", "tensorflow"),
    }
    staging.remove_leftovers(dataset_dir)
    if finished := provenance.read_finished(dataset_dir, dataset_name, made):
        summary.show_finished(finished, dataset_dir)
        summary.show_next_command(finished, dataset_dir)
        return
    collection = read()
    names = [name for split in collection.splits.values() for name in split.filenames]
    staging.refuse_strangers(dataset_dir, map(glob.escape, names))
    with staging.staging(dataset_dir, dataset_name) as directory:
        publish_dir = os.path.join(directory, staging.PUBLISH)
        splits, rejected = _write_splits(collection, publish_dir, num_workers)
        summary.show_rejections(rejected, num_ignored=0)
        info = DatasetInfo(
            dataset_name, collection.classes, splits, collection.num_channels, made
        )
        rejections.write_csv(publish_dir, rejected)
        labels.write(publish_dir, info.classes)
        dataset_json.write(publish_dir, info)
        staging.publish_dataset(directory, dataset_dir)
    summary.show(info)
    summary.show_next_command(info, dataset_dir)


def _write_splits(
    collection: Collection, directory: str, num_workers: int
) -> tuple[dict[str, SplitInfo], list[Rejection]]:
    splits = {}
    rejected: list[Rejection] = []
    for name, split in collection.splits.items():
        counts: collections.Counter[int] = collections.Counter()
        normalized = _normalized(split.read(), num_workers)
        # Progress is timed from the first result, when the workers have started.
        first = list(itertools.islice(normalized, 1))
        results = progress(
            itertools.chain(first, normalized),
            total=split.num_examples,
            desc=f"converting {name}",
            unit="image",
        )
        shards = shard_writer.write_shards(
            _records(results, counts, rejected),
            split.num_examples,
            directory,
            split.filenames,
        )
        classes = range(len(collection.classes))
        splits[name] = SplitInfo(
            counts.total(), tuple(counts[label] for label in classes), shards
        )
    total = sum(split.num_examples for split in collection.splits.values())
    if len(rejected) > rejections.MAX_FRACTION * total:
        raise UserError(
            f"{len(rejected)} of {total} images cannot be used, the first is"
            f" {rejected[0].name!r} ({rejected[0].reason}): download the data again"
        )
    return splits, rejected


def _normalized(
    examples: Iterator[Example], num_workers: int
) -> Iterator[Usable | Rejection]:
    """Checks images in other processes."""
    tasks = iter(lambda: list(itertools.islice(examples, _EXAMPLES_PER_TASK)), [])
    with parallel.processes(num_workers) as executor:
        for results in in_order(executor, normalize_some, tasks, 4 * num_workers):
            yield from results


def _records(
    results: Iterable[Usable | Rejection],
    counts: collections.Counter[int],
    rejected: list[Rejection],
) -> Iterator[bytes]:
    """The records of the usable images; the others are added to `rejected`."""
    for result in results:
        if isinstance(result, Rejection):
            rejected.append(result)
        else:
            counts[result.label] += 1
            yield shard_writer.serialize(result.photo, result.label, result.name)
