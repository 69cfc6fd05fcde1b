"""Tables and text about an inspected data set."""

from collections.abc import Sequence

import numpy as np

from common import tables
from common.untrusted_text import printable
from convert.inspection.survey import Record, Survey
from datasets.dataset import Dataset

_MAX_SHOWN = 5


def class_title(dataset: Dataset, label: int | None) -> str:
    """A class such as "3:tulip", on one line."""
    if label is None or not (dataset.class_names and 0 <= label < dataset.num_classes):
        return str(label)
    return f"{label}:{printable(dataset.class_names[label])}"


def class_table(splits: Sequence[Dataset]) -> str:
    """A table of the numbers of images by class and split."""
    rows = []
    for label in range(splits[0].num_classes):
        counts = [split.class_counts[label] for split in splits]
        rows.append([class_title(splits[0], label), *_numbers(counts)])
    rows.append(["all", *_numbers([split.num_examples for split in splits])])
    return tables.printed(("class", *(s.split_name for s in splits), "all"), rows)


def _numbers(counts: Sequence[int]) -> list[str]:
    return [f"{count:,}" for count in (*counts, sum(counts))]


def size_table(splits: Sequence[Dataset], survey: Survey) -> str:
    """A table by split: formats, and least, median and greatest width and height."""
    rows = []
    for split in splits:
        name = split.split_name
        formats = survey.formats[name].most_common()
        sides = np.array(survey.sizes[name]).reshape(-1, 2)
        rows.append(
            [
                name,
                f"{sum(shard.num_bytes for shard in split.shards) / 1e6:,.1f}",
                ", ".join(f"{count:,} {kind}" for kind, count in formats),
                *(_spread(sides[:, axis]) for axis in (0, 1)),
            ]
        )
    return tables.printed(("split", "MB", "formats", "width", "height"), rows)


def _spread(values: np.ndarray) -> str:
    if not values.size:
        return ""
    return f"{values.min()} … {np.median(values):.0f} … {values.max()}"


def copies_text(dataset: Dataset, survey: Survey) -> str:
    """How many images have copies, and the worst cases."""
    groups = survey.copies
    if not groups:
        return "No image occurs twice."
    across = [group for group in groups if _num_splits(group) > 1]
    labels = [group for group in groups if _num_labels(group) > 1]
    lines = [
        f"{sum(map(len, groups)):,} images have copies, in {len(groups):,} groups:"
        f" {len(across):,} across splits, {len(labels):,} with different labels"
    ]
    worst = sorted(groups, key=lambda g: (-_num_splits(g), -_num_labels(g)))
    lines += [
        "  " + " = ".join(record_text(dataset, record) for record in group)
        for group in worst[:_MAX_SHOWN]
    ]
    return "\n".join(lines)


def _num_splits(group: Sequence[Record]) -> int:
    return len({record.split for record in group})


def _num_labels(group: Sequence[Record]) -> int:
    return len({record.label for record in group})


def record_text(dataset: Dataset, record: Record) -> str:
    """A record as text: split, photo, class, file and position."""
    photo = f" {printable(record.photo)!r}" if record.photo else ""
    return (
        f"{record.split}{photo} ({class_title(dataset, record.label)};"
        f" {record.file}, record {record.number})"
    )


def unfit_text(dataset: Dataset, survey: Survey) -> str:
    """How many records are unusable, with the first of them."""
    record, reason = survey.unfit[0]
    return (
        f"{len(survey.unfit):,} records cannot be used for training; the first is"
        f" {record_text(dataset, record)}: {reason}"
    )
