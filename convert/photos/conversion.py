"""From photos to a data set, as a whole or not at all: the steps of a conversion."""

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
    checks,
    provenance,
    sources,
    splits,
    summary,
)
from convert.photos.settings import Settings
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
    """Converts photos to a data set, or reports that this has been done already.

    Args:
      settings: what determines the data set's content.
      num_workers: number of processes; the result does not depend on it.
      max_rejected_fraction: the largest accepted fraction of unusable photos.
      shows_next: whether to print the next command.

    Raises:
      UserError: settings, photos or the folder do not allow it; nothing that looks like
        a data set is left behind.
    """
    settings.check()
    found, fractions = sources.find(settings)
    made = provenance.entry(settings, found)
    staging.remove_leftovers(settings.dataset_dir)
    if finished := provenance.read_finished(
        settings.dataset_dir, settings.dataset_name, made
    ):
        provenance.check_content(
            finished, found, settings.dataset_dir, num_threads=num_workers
        )
        summary.show_finished(finished, settings.dataset_dir)
        if shows_next:
            summary.show_next_command(finished, settings.dataset_dir)
        return
    pattern = f"{glob.escape(settings.dataset_name)}_*.tfrecord"
    staging.refuse_strangers(settings.dataset_dir, [pattern])
    info = _make(settings, found, fractions, made, num_workers, max_rejected_fraction)
    summary.show(info)
    if settings.class_names:
        summary.show_absent(info)
    else:
        summary.warn_of_gaps(info, found.classes, fractions)
    if shows_next:
        summary.show_next_command(info, settings.dataset_dir)


def _make(
    settings: Settings,
    found: sources.Found,
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
        summary.show_rejections(rejected, found.num_ignored)
        classes = settings.class_names or _classes(groups)
        if unfit := _explain_unfit(
            settings, classes, groups, rejected, max_rejected_fraction
        ):
            raise UserError(unfit + _leave_rejections(rejected, settings.dataset_dir))
        digests = {photo.source.path: photo.digest for photo in checked}
        made["photos"]["content_sha256"] = provenance.combined_sha256(
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
    settings: Settings, found: sources.Found, directory: str, num_workers: int
) -> tuple[list[Checked], list[Rejection]]:
    parallel.prepare()
    _load_tensorflow()  # at the same time
    results = checks.check_all(
        found.sources,
        os.path.join(directory, staging.SPILL),
        max_side=settings.max_side,
        num_workers=num_workers,
        bits=settings.bits,
    )
    checked: list[Checked] = []
    rejected = list(found.rejections)
    # Progress is timed from the first result, when the workers have started.
    first = list(itertools.islice(results, 1))
    every = progress(
        itertools.chain(first, results),
        total=len(found.sources),
        desc="checking",
        unit="photo",
    )
    for result in checks.settle_bits(list(every)):
        if isinstance(result, Checked):
            checked.append(result)
        else:
            rejected.append(result)
    summary.show_dark_photos(checked)
    return checked, rejected


def _load_tensorflow() -> None:
    """Imports what is needed next, which takes seconds."""
    with parallel.signals_held():
        importlib.import_module("convert.tfrecords.shard_writer")


def _classes(groups: dict[str, list[Checked]]) -> tuple[str, ...]:
    used = {photo.source.class_name for group in groups.values() for photo in group}
    return tuple(sorted(used))


def _bits(settings: Settings, groups: dict[str, list[Checked]]) -> int | None:
    """The bit depth assumed for photos that do not state it; None if there are none."""
    are_deep = any(photo.depth for group in groups.values() for photo in group)
    return settings.bits or (deep_photo.FULL_BITS if are_deep else None)


def _explain_unfit(
    settings: Settings,
    classes: Sequence[str],
    groups: dict[str, list[Checked]],
    rejected: Sequence[Rejection],
    max_rejected_fraction: float,
) -> str:
    """Why the photos make no data set; "" if they do."""
    too_few_bits = [entry for entry in rejected if entry.kind == Kind.TOO_FEW_BITS]
    if too_few_bits:  # the flag is wrong, and so are the values of the other photos
        return (
            f"--bits={settings.bits} does not fit {len(too_few_bits)} photos, the first"
            f" is {too_few_bits[0].name!r} ({too_few_bits[0].reason})"
        )
    faults = [entry for entry in rejected if entry.kind.is_fault]
    total = sum(map(len, groups.values())) + len(faults)
    if faults and len(faults) / total > max_rejected_fraction:
        return (
            f"{len(faults)} of {total} photos cannot be used, more than"
            f" --max_rejected_fraction={max_rejected_fraction}; the first is"
            f" {faults[0].name!r} ({faults[0].reason}): fix or remove them, or raise"
            " the limit"
        )
    if len(classes) < 2:
        return (
            f"{settings.source} has usable photos of {len(classes)} class"
            f" ({', '.join(classes) or 'none'}), at least two are needed: give each"
            f" class its own {'label' if settings.csv_file else 'folder'}"
        )
    if not groups:
        return f"no photo of {settings.source} can be used: fix or replace them"
    if "train" not in groups and not settings.class_names:
        return (
            f"no photo of {settings.source} is in the split train: add photos, or lower"
            " --validation_fraction and --test_fraction"
        )
    return ""


def _leave_rejections(rejected: Sequence[Rejection], dataset_dir: str) -> str:
    """Writes rejected.csv, to show what went wrong; returns a note for the error."""
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
    """Writes the TFRecords; returns the content of dataset.json."""
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
