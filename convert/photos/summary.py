"""The printed summary of a conversion: a table, what was left out, the next command."""

import os
import shlex
import sys
from collections.abc import Collection, Sequence

from absl import logging
from rich.console import Console
from rich.table import Table
from rich.text import Text

from common import storage, terminal
from common.untrusted_text import first_few, printable
from convert.photos import class_names
from convert.photos.split_names import SPLITS
from convert.photos.splits import Fractions
from convert.published import available
from convert.published.available import Weights
from convert.tfrecords import rejections
from convert.tfrecords.rejections import Rejection
from convert.tfrecords.source_photo import Checked
from datasets.dataset_json import DatasetInfo

_MAX_CLASSES_SHOWN = 40
_MAX_REJECTIONS_SHOWN = 5
_EASY_NET = "mobilenet_v1"  # small, published, good on a CPU
_DARK_BITS = 4  # unused, leave a sixteenth of the brightness


def show(info: DatasetInfo) -> None:
    """Prints a table of classes × splits."""
    names = list(info.splits)
    table = Table()
    table.add_column("class", overflow="fold")
    for name in [*names, "all"]:
        table.add_column(name, justify="right")
    for label, class_name in enumerate(info.classes[:_MAX_CLASSES_SHOWN]):
        counts = [info.splits[name].class_counts[label] for name in names]
        _add_row(table, f"{label}:{printable(class_name)}", counts)
    if len(info.classes) > _MAX_CLASSES_SHOWN:
        table.add_row(f"… and {len(info.classes) - _MAX_CLASSES_SHOWN} more")
    table.add_section()
    _add_row(table, "all", [info.splits[name].num_examples for name in names])
    sizes = [
        sum(shard.bytes for shard in info.splits[name].shards) / 1e6 for name in names
    ]
    table.add_row("MB", *(f"{size:,.1f}" for size in [*sizes, sum(sizes)]))
    console = Console(width=None if sys.stdout.isatty() else 100, color_system=None)
    with (
        console.capture() as capture
    ):  # rich itself would end the process after `| head`
        console.print(table)
    print(f"{info.name}: photos by class and split\n{capture.get()}", end="")


def _add_row(table: Table, title: str, counts: Sequence[int]) -> None:
    table.add_row(Text(title), *(f"{count:,}" for count in [*counts, sum(counts)]))


def warn_of_gaps(
    info: DatasetInfo, classes: Collection[str], fractions: Fractions
) -> None:
    """Warns of classes without photos in a split.

    Args:
      info: the data set.
      classes: the names of all classes found.
      fractions: the shares of the photos, for the splits.
    """
    expected = {"train", *info.splits}
    expected |= {"validation"} if fractions.validation else set()
    expected |= {"test"} if fractions.test else set()
    for split in sorted(expected, key=SPLITS.index):
        counts = info.splits[split].class_counts if split in info.splits else ()
        absent = [
            name
            for label, name in enumerate(info.classes)
            if not (counts and counts[label])
        ]
        if absent and split == "train":
            logging.warning(
                "No training photo of %s, so no model can learn it: add training"
                " photos, or remove it from the other splits",
                first_few(absent, _MAX_REJECTIONS_SHOWN),
            )
        elif absent:
            logging.warning(
                "No %s photo of %s: add photos%s",
                split,
                first_few(absent, _MAX_REJECTIONS_SHOWN),
                ", or try another --seed" if fractions.validation else "",
            )
    if lost := sorted(set(classes) - set(info.classes)):
        logging.warning(
            "Left out, as they have no usable photo: %s",
            first_few(lost, _MAX_REJECTIONS_SHOWN),
        )
    if remark := class_names.explain_order(info.classes):
        logging.info("%s", remark)


def show_absent(info: DatasetInfo) -> None:
    """Logs which of the classes that the user listed have no photo."""
    splits = info.splits.values()
    absent = [
        name
        for label, name in enumerate(info.classes)
        if not any(split.class_counts[label] for split in splits)
    ]
    if absent:
        logging.info(
            "%d of the %d listed classes have no photo here: %s",
            *(len(absent), len(info.classes), first_few(absent, _MAX_REJECTIONS_SHOWN)),
        )


def show_rejections(rejected: Sequence[Rejection], num_ignored: int) -> None:
    """Logs how many files were left out for which reason, with examples."""
    if num_ignored:
        logging.info("Ignored %d hidden and system files", num_ignored)
    for kind, count in rejections.count_by_kind(rejected).items():
        logging.warning("Left out: %d × %s", count, kind.value)
    for entry in rejected[:_MAX_REJECTIONS_SHOWN]:
        logging.warning("  %s: %s", printable(entry.name), printable(entry.reason))
    if len(rejected) > _MAX_REJECTIONS_SHOWN:
        logging.warning("  … all are listed in %s", rejections.FILENAME)


def show_dark_photos(checked: Sequence[Checked]) -> None:
    """Logs which deep photos are so dark that they may use fewer bits."""
    deep = [photo for photo in checked if photo.depth]
    dark = [
        photo.source.name
        for photo in deep
        if photo.depth
        and (photo.doubt or photo.depth.needed <= photo.depth.read_as - _DARK_BITS)
    ]
    if dark:
        logging.warning(
            "%d of %d photos with more than 8 bits per channel are dark, or use fewer"
            " bits than the others: %s",
            *(len(dark), len(deep), first_few(dark, _MAX_REJECTIONS_SHOWN)),
        )


def show_finished(info: DatasetInfo, dataset_dir: str) -> None:
    """Prints that there is nothing to do."""
    num_examples = sum(split.num_examples for split in info.splits.values())
    line = (
        f"{dataset_dir} already holds the data set {info.name!r}, made from the same"
        f" photos with the same settings ({num_examples:,} records): nothing to do"
    )
    print(terminal.wrapped(line, sys.stdout))


def show_next_command(info: DatasetInfo, dataset_dir: str) -> None:
    """Prints a command that trains or, without a train split, evaluates."""
    if "train" not in info.splits:
        print("Next, to evaluate a run on these photos:")
        _print_command(
            "python eval_image_classifier.py",
            f"--dataset_name={info.name}",
            f"--dataset_dir={shlex.quote(dataset_dir)}",
            f"--dataset_split_name={next(iter(info.splits))}",
            "--checkpoint_path=RUN",
            f"--eval_dir=/tmp/{info.name}",
        )
        return
    weights = available.find()
    if weights is None:
        print("Next, to download published weights and fine-tune their last layer:")
        _print_command(
            "python convert/download_checkpoint.py",
            f"--model_name={_EASY_NET}",
            f"--checkpoint_dir={available.FOLDER}",
        )
        path = os.path.join(available.FOLDER, _EASY_NET)
        weights = Weights(path, _EASY_NET)
    else:
        print("Next, to fine-tune the last layer of weights on this machine:")
    _print_command(*_fine_tuning(info, dataset_dir, weights))


def _fine_tuning(info: DatasetInfo, dataset_dir: str, weights: Weights) -> list[str]:
    """A command that solves the head on features computed once."""
    words = [
        "python train_image_classifier.py",
        f"--dataset_name={info.name}",
        f"--dataset_dir={shlex.quote(dataset_dir)}",
        f"--train_dir={shlex.quote(os.path.join('runs', info.name))}",
        f"--model_name={weights.model_name}",
        f"--checkpoint_path={shlex.quote(weights.path)}",
        "--checkpoint_exclude_scopes=head",
        "--trainable_scopes=head",
        "--head_solver=logistic",
        "--feature_cache=disk",
        *weights.net_flags,
    ]
    if storage.is_object(dataset_dir):
        words.append("--feature_cache_dir=feature_cache")
    if "validation" in info.splits:
        words.append("--eval_split_name=validation")
    return words


def _print_command(*words: str) -> None:
    print("  " + " \\\n    ".join(words))
