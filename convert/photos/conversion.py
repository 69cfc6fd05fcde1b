"""From photos to a dataset, whole or not at all: the story of a conversion."""

import dataclasses
import glob
import importlib
import itertools
import os
from collections.abc import Sequence
from typing import Any

from absl import logging

from common.progress import progress
from convert.photos import (
    conversion_record,
    conversion_summary,
    photo_checks,
    photo_content,
    photo_sources,
    splits,
)
from convert.photos.conversion_record import Settings
from convert.tfrecords import parallel, rejections, staging
from convert.tfrecords.rejections import Kind, Rejection
from convert.tfrecords.source_photo import Checked
from datasets import dataset_json, labels
from datasets.dataset_json import DatasetInfo
from datasets.photos import deep_photo
from errors import UserError


def convert(
    settings: Settings,
    *,
    num_workers: int,
    max_rejected_fraction: float,
    shows_next: bool = True,
) -> None:
    """Makes a dataset of photos, or says that it is made already.

    Args:
      settings: what decides the dataset's content.
      num_workers: processes; they change nothing in the result.
      max_rejected_fraction: the share of unusable photos beyond which it is no use.
      shows_next: whether to print the command that comes next.

    Raises:
      UserError: settings, photos or the directory do not allow it; nothing that looks
        like a dataset is left behind.
    """
    settings.check()
    found, fractions = conversion_record.find(settings)
    made = conversion_record.entry(settings, found)
    staging.remove_leftovers(settings.dataset_dir)
    if finished := conversion_record.read_finished(
        settings.dataset_dir, settings.dataset_name, made
    ):
        conversion_record.check_content(
            finished, found, settings.dataset_dir, num_threads=num_workers
        )
        conversion_summary.show_finished(finished, settings.dataset_dir)
        if shows_next:
            conversion_summary.show_next_command(finished, settings.dataset_dir)
        return
    pattern = f"{glob.escape(settings.dataset_name)}_*.tfrecord"
    staging.refuse_strangers(settings.dataset_dir, [pattern])
    info = _make(settings, found, fractions, made, num_workers, max_rejected_fraction)
    conversion_summary.show(info)
    if settings.class_names:
        conversion_summary.show_absent(info)
    else:
        conversion_summary.warn_of_gaps(info, found.classes, fractions)
    if shows_next:
        conversion_summary.show_next_command(info, settings.dataset_dir)


def _make(
    settings: Settings,
    found: photo_sources.Found,
    fractions: splits.Fractions,
    made: dict[str, Any],
    num_workers: int,
    max_rejected_fraction: float,
) -> DatasetInfo:
    num_bytes = sum(source.num_bytes for source in found.sources)
    with staging.staging(
        settings.dataset_dir, settings.dataset_name, num_bytes
    ) as directory:
        checked, rejected = _check_photos(settings, found, directory, num_workers)
        groups, kept_out = splits.assign(
            checked, seed=settings.seed, fractions=fractions
        )
        rejected = rejections.in_order(rejected + kept_out)
        conversion_summary.show_rejections(rejected, found.num_ignored)
        classes = settings.class_names or _classes(groups)
        if unfit := _explain_unfit(
            settings, classes, groups, rejected, max_rejected_fraction
        ):
            raise UserError(unfit + _leave_rejections(rejected, settings.dataset_dir))
        digests = {photo.source.path: photo.digest for photo in checked}
        made["photos"]["content_sha256"] = photo_content.combined_sha256(
            found.sources, digests, num_threads=num_workers
        )
        info = _write(settings, classes, groups, made, directory, num_workers)
        info = dataclasses.replace(info, bits=_bits(settings, groups))
        publish_dir = os.path.join(directory, staging.PUBLISH)
        rejections.write_csv(publish_dir, rejected)
        labels.write(publish_dir, info.classes)
        dataset_json.write(publish_dir, info)
        staging.publish_dataset(directory, settings.dataset_dir)
    return info


def _check_photos(
    settings: Settings, found: photo_sources.Found, directory: str, num_workers: int
) -> tuple[list[Checked], list[Rejection]]:
    parallel.prepare()
    _load_tensorflow()  # meanwhile
    results = photo_checks.check_all(
        found.sources,
        os.path.join(directory, staging.SPILL),
        max_side=settings.max_side,
        num_workers=num_workers,
        bits=settings.bits,
    )
    checked: list[Checked] = []
    rejected = list(found.rejections)
    # The clock starts with the first result: until then workers start.
    first = list(itertools.islice(results, 1))
    every = progress(
        itertools.chain(first, results),
        total=len(found.sources),
        desc="checking",
        unit="photo",
    )
    for result in photo_checks.settle_bits(list(every)):
        if isinstance(result, Checked):
            checked.append(result)
        else:
            rejected.append(result)
    conversion_summary.show_dark_photos(checked)
    return checked, rejected


def _load_tensorflow() -> None:
    """Imports what is needed next: it takes seconds."""
    with parallel.signals_held():
        importlib.import_module("convert.tfrecords.shard_writer")


def _classes(groups: dict[str, list[Checked]]) -> tuple[str, ...]:
    used = {photo.source.class_name for group in groups.values() for photo in group}
    return tuple(sorted(used))


def _bits(settings: Settings, groups: dict[str, list[Checked]]) -> int | None:
    """As how many bits photos were read that do not say it; None if there are none."""
    are_deep = any(photo.depth for group in groups.values() for photo in group)
    return settings.bits or (deep_photo.FULL_BITS if are_deep else None)


def _explain_unfit(
    settings: Settings,
    classes: Sequence[str],
    groups: dict[str, list[Checked]],
    rejected: Sequence[Rejection],
    max_rejected_fraction: float,
) -> str:
    """Why the photos make no dataset; "" when they do."""
    too_few_bits = [entry for entry in rejected if entry.kind == Kind.TOO_FEW_BITS]
    if too_few_bits:  # the flag is wrong, and the other photos are read by it as well
        return (
            f"--bits={settings.bits} does not fit {len(too_few_bits)} photos:"
            f" {too_few_bits[0].name!r} is the first ({too_few_bits[0].reason})"
        )
    faults = [entry for entry in rejected if entry.kind.is_fault]
    total = sum(map(len, groups.values())) + len(faults)
    if faults and len(faults) / total > max_rejected_fraction:
        return (
            f"{len(faults)} of {total} photos cannot be used, more than"
            f" --max_rejected_fraction={max_rejected_fraction}: {faults[0].name!r} is"
            f" the first ({faults[0].reason}); mend or remove them, or raise the limit"
        )
    if len(classes) < 2:
        return (
            f"{settings.source} has usable photos of {len(classes)} class"
            f" ({', '.join(classes) or 'none'}), at least two are needed: give each"
            f" class {'a label' if settings.csv_file else 'a folder'} of its own"
        )
    if not groups:
        return f"no photo of {settings.source} can be used: mend or replace them"
    if "train" not in groups and not settings.class_names:
        return (
            f"no photo of {settings.source} falls to the split train: add photos, or"
            " lower --validation_fraction and --test_fraction"
        )
    return ""


def _leave_rejections(rejected: Sequence[Rejection], dataset_dir: str) -> str:
    """Writes rejected.csv for a look at what went wrong, and says so."""
    if not rejected:
        return ""
    rejections.write_csv(dataset_dir, rejected)
    path = os.path.join(dataset_dir, rejections.FILENAME)
    return f"; {path} lists all {len(rejected)} that were left out"


def _write(
    settings: Settings,
    classes: tuple[str, ...],
    groups: dict[str, list[Checked]],
    made: dict[str, Any],
    directory: str,
    num_workers: int,
) -> DatasetInfo:
    """Writes the TFRecords, and says what dataset.json will say."""
    from convert.tfrecords import shard_writer  # loaded by now

    written = {
        split: shard_writer.write_split(
            group,
            os.path.join(directory, staging.PUBLISH),
            f"{settings.dataset_name}_{split}",
            class_names=classes,
            num_shards=settings.num_shards,
            num_threads=num_workers,
        )
        for split, group in groups.items()
    }
    logging.info("Wrote %d photos", sum(map(len, groups.values())))
    return DatasetInfo(settings.dataset_name, classes, written, made=made)
