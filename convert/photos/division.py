"""Checked photos in their splits, or why they make no data set."""

import dataclasses
import os
from collections.abc import Sequence

from convert.photos import checks, sources, splits, summary
from convert.photos.settings import Settings
from convert.tfrecords import rejections
from convert.tfrecords.rejections import Kind, Rejection
from convert.tfrecords.source_photo import Checked
from errors import UserError

Result = Checked | Rejection


@dataclasses.dataclass(frozen=True)
class Division:
    """Checked photos in their splits.

    Attributes:
      checked: those that can be used.
      rejected: what is left out, in order.
      groups: the photos of each split, in the order of its records.
      classes: their names by label.
    """

    checked: list[Checked]
    rejected: list[Rejection]
    groups: dict[str, list[Checked]]
    classes: tuple[str, ...]


def divide(
    settings: Settings,
    found: sources.Found,
    fractions: splits.Fractions,
    results: Sequence[Result],
    max_rejected_fraction: float,
) -> Division:
    """Puts the checked photos into splits.

    Raises:
      UserError: they make no data set.
    """
    settled = checks.settle_bits(results)
    checked = [result for result in settled if isinstance(result, Checked)]
    rejected = [result for result in settled if isinstance(result, Rejection)]
    summary.show_dark_photos(checked)
    groups, kept_out = splits.assign(checked, seed=settings.seed, fractions=fractions)
    rejected = rejections.in_order([*found.rejections, *rejected, *kept_out])
    summary.show_rejections(rejected, found.num_ignored)
    classes = settings.class_names or _classes(groups)
    if unfit := _explain_unfit(
        settings, classes, groups, rejected, max_rejected_fraction
    ):
        raise UserError(unfit + _leave_rejections(rejected, settings.dataset_dir))
    return Division(checked, rejected, groups, classes)


def _classes(groups: dict[str, list[Checked]]) -> tuple[str, ...]:
    used = {photo.source.class_name for group in groups.values() for photo in group}
    return tuple(sorted(used))


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
