"""From photos to a data set, as a whole or not at all: the steps of a conversion."""

import collections
import contextlib
import glob
import itertools
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any

from absl import logging

from cluster.shares import Share
from common import storage
from common.progress import progress
from convert.photos import (
    checks,
    provenance,
    sources,
    splits,
    summary,
    writing,
)
from convert.photos.division import Division, Result, divide
from convert.photos.limits import Limits
from convert.photos.settings import Settings
from convert.photos.shared_conversion import SharedConversion
from convert.tfrecords import rejections, staging
from convert.tfrecords.shards import Shard, shards_of
from convert.tfrecords.source_photo import Checked
from datasets import dataset_json, labels
from datasets.dataset_json import DatasetInfo, ShardInfo, SplitInfo
from datasets.photos import deep_photo


def convert(
    settings: Settings,
    *,
    num_workers: int | None,
    max_rejected_fraction: float,
    shows_next: bool = True,
    share: Share | None = None,
) -> None:
    """Converts photos to a data set, or reports that this has been done already.

    Args:
      settings: what determines the data set's content.
      num_workers: number of processes; None takes one per CPU, or this one alone for
        few photos. The result does not depend on it.
      max_rejected_fraction: the largest accepted fraction of unusable photos.
      shows_next: whether to print the next command.
      share: the share of one of several tasks; the first of them does what is left to
        do when all have done their share, and alone prints a summary.

    Raises:
      UserError: settings, photos or the folder do not allow it; nothing that looks like
        a data set is left behind.
      PeerError: the parts of another task did not come.
    """
    settings.check()
    limits = Limits(num_workers, max_rejected_fraction)
    share = share or Share()
    if not share.is_all:
        logging.info("%s", share)
        storage.require_local(
            settings.dataset_dir,
            flag="dataset_dir",
            instead="let the tasks share a folder, and copy what they have made",
        )
    found, fractions = sources.find(settings)
    made = provenance.entry(settings, found)
    if not share.is_first:
        if not provenance.read_finished(
            settings.dataset_dir, settings.dataset_name, made
        ):
            shared = SharedConversion(
                settings.dataset_dir, settings.dataset_name, made, share
            )
            _make_share(shared, settings, found, fractions, limits)
        logging.info("done; task 0 merges all parts into %s", settings.dataset_dir)
        return
    staging.remove_leftovers(settings.dataset_dir)
    if finished := provenance.read_finished(
        settings.dataset_dir, settings.dataset_name, made
    ):
        provenance.check_content(
            finished, found, settings.dataset_dir, num_threads=limits.num_threads
        )
        summary.show_finished(finished, settings.dataset_dir)
        if shows_next:
            summary.show_next_command(finished, settings.dataset_dir)
        return
    if share.is_all:
        _refuse_strangers(settings)
        info = _make(settings, found, fractions, made, limits)
    else:
        info = _make_of_parts(settings, found, fractions, made, limits, share)
    summary.show(info)
    if settings.class_names:
        summary.show_absent(info)
    else:
        summary.warn_of_gaps(info, found.classes, fractions)
    if shows_next:
        summary.show_next_command(info, settings.dataset_dir)


def _refuse_strangers(settings: Settings) -> None:
    pattern = f"{glob.escape(settings.dataset_name)}_*.tfrecord"
    staging.refuse_strangers(settings.dataset_dir, [pattern])


def _make(
    settings: Settings,
    found: sources.Found,
    fractions: splits.Fractions,
    made: dict[str, Any],
    limits: Limits,
) -> DatasetInfo:
    """Converts all photos in this process's own staging folder."""
    num_bytes = sum(source.num_bytes for source in found.sources)
    with staging.staging(
        settings.dataset_dir, settings.dataset_name, num_bytes
    ) as directory:
        spill_dir = os.path.join(directory, staging.SPILL)
        results = list(_check_photos(settings, found, spill_dir, limits))
        division = divide(
            settings, found, fractions, results, limits.max_rejected_fraction
        )
        publish_dir = os.path.join(directory, staging.PUBLISH)
        shards = shards_of(settings.dataset_name, division.groups, settings.num_shards)
        infos = _write(shards, publish_dir, division, found, limits)
        written = _split_infos(division, shards, infos)
        info = _describe(settings, found, division, written, made, limits)
        _complete(publish_dir, info, division)
        staging.publish_dataset(directory, settings.dataset_dir)
    return info


def _make_of_parts(
    settings: Settings,
    found: sources.Found,
    fractions: splits.Fractions,
    made: dict[str, Any],
    limits: Limits,
    share: Share,
) -> DatasetInfo:
    """The first task's share, and then what all tasks have made."""
    shared = SharedConversion(settings.dataset_dir, settings.dataset_name, made, share)
    with shared.first_task_alone():
        if not shared.is_being_published:
            _refuse_strangers(settings)
            division, written = _make_share(shared, settings, found, fractions, limits)
            info = _describe(settings, found, division, written, made, limits)
            _complete(shared.publish_dir, info, division)
        info = dataset_json.read(shared.publish_dir) or info
        shared.finish(settings.dataset_dir)
    return info


def _make_share(
    shared: SharedConversion,
    settings: Settings,
    found: sources.Found,
    fractions: splits.Fractions,
    limits: Limits,
) -> tuple[Division, dict[str, SplitInfo]]:
    """Checks and writes this task's share.

    Returns:
      The photos as all tasks checked them, and, in the first task, the splits as all
      tasks wrote them.
    """
    results = shared.check(
        found.sources,
        lambda numbers, spill_dir: _check_photos(
            settings, found, spill_dir, limits, numbers
        ),
    )
    division = divide(settings, found, fractions, results, limits.max_rejected_fraction)
    shards = shards_of(settings.dataset_name, division.groups, settings.num_shards)
    infos = shared.write(
        shards,
        # A second copy of this task may still need what was re-encoded.
        lambda some, folder: _write(some, folder, division, found, limits, keeps=True),
    )
    return division, _split_infos(division, shards, infos) if infos else {}


def _describe(
    settings: Settings,
    found: sources.Found,
    division: Division,
    written: dict[str, SplitInfo],
    made: dict[str, Any],
    limits: Limits,
) -> DatasetInfo:
    """The content of dataset.json."""
    logging.info("Wrote %d photos", sum(map(len, division.groups.values())))
    digests = {photo.source.path: photo.digest for photo in division.checked}
    made["photos"]["content_sha256"] = provenance.combined_sha256(
        found.sources, digests, num_threads=limits.num_threads
    )
    name, bits = settings.dataset_name, _bits(settings, division.groups)
    return DatasetInfo(name, division.classes, written, made=made, bits=bits)


def _complete(publish_dir: str, info: DatasetInfo, division: Division) -> None:
    """Writes what goes beside the TFRecords."""
    rejections.write_csv(publish_dir, division.rejected)
    labels.write(publish_dir, info.classes)
    dataset_json.write(publish_dir, info)


def _check_photos(
    settings: Settings,
    found: sources.Found,
    spill_dir: str,
    limits: Limits,
    numbers: Sequence[int] | None = None,
) -> Generator[Result, None, None]:
    """The results of photos, by default all, in order."""
    chosen = found.sources
    if numbers is not None:
        chosen = [found.sources[number] for number in numbers]
    results = checks.check_all(
        found.sources,
        spill_dir,
        numbers=numbers,
        max_side=settings.max_side,
        num_workers=limits.num_processes(chosen),
        bits=settings.bits,
    )
    with contextlib.closing(results):
        # Progress is timed from the first result, when the workers have started.
        first = list(itertools.islice(results, 1))
        yield from progress(
            itertools.chain(first, results),
            total=len(chosen),
            desc="checking",
            unit="photo",
        )


def _bits(settings: Settings, groups: dict[str, list[Checked]]) -> int | None:
    """The bit depth assumed for photos that do not state it; None if there are none."""
    are_deep = any(photo.depth for group in groups.values() for photo in group)
    return settings.bits or (deep_photo.FULL_BITS if are_deep else None)


def _write(
    shards: Sequence[Shard],
    directory: str,
    division: Division,
    found: sources.Found,
    limits: Limits,
    *,
    keeps: bool = False,
) -> Iterator[ShardInfo]:
    """Writes files, and yields what is known of each."""
    return writing.write_all(
        shards,
        directory,
        division.classes,
        num_workers=limits.num_processes(found.sources),
        keeps=keeps,
    )


def _split_infos(
    division: Division, shards: Sequence[Shard], infos: Iterable[ShardInfo]
) -> dict[str, SplitInfo]:
    """The splits' entries in dataset.json.

    Args:
      division: the photos.
      shards: all files.
      infos: what is known of each, in any order.
    """
    by_name = {info.file: info for info in infos}
    by_split = collections.defaultdict(list)
    for shard in shards:
        by_split[shard.split].append(by_name[shard.filename])
    return {
        split: _split_info(division.classes, photos, by_split[split])
        for split, photos in division.groups.items()
    }


def _split_info(
    classes: Sequence[str], photos: Sequence[Checked], infos: Sequence[ShardInfo]
) -> SplitInfo:
    counts = collections.Counter(photo.source.class_name for photo in photos)
    return SplitInfo(len(photos), tuple(counts[name] for name in classes), tuple(infos))
