r"""Converts a folder of photos to TFRecords for training and evaluation.

    python convert/images_to_tfrecord.py --image_dir=photos \
        --dataset_name=stamps --dataset_dir=data/stamps

The folder holds one folder per class; or train/, validation/ and test/ with the class
folders inside; or the same three inside each class folder. --csv_file lists the photos
instead. Folders that can be read in two ways are refused: the error names both readings
and the flag that decides. The data set appears as a whole or not at all; photos that
cannot be used are listed in its rejected.csv.

To evaluate a run on other photos, of some of its classes:

    python convert/images_to_tfrecord.py --image_dir=more \
        --dataset_name=more --dataset_dir=data/more --classes_of=runs/stamps \
        --test_fraction=1
"""

import script_start  # noqa: F401  (before all that takes time)

import dataclasses
import os

from cluster import shares
from common import atomic_files, signal_errors

# Nothing here imports TensorFlow: every worker process imports this file, too.
from config import app, flags
from config.options import Options, option
from config.share_options import ShareOptions
from convert.photos import class_names, conversion, folder_layout
from convert.photos.settings import Settings
from convert.tfrecords import rejections


@dataclasses.dataclass(frozen=True)
class PhotoOptions(Options):
    """Photos and classes."""

    image_dir: str | None = option(
        None,
        "Folder with one folder per class, or with train/, validation/ and test/ above"
        " the class folders. With --csv_file: the folder its relative paths start"
        " from.",
    )
    csv_file: str | None = option(
        None,
        "UTF-8 file that lists the photos, instead of folders: columns path, label and"
        " optionally split (train, validation, test or empty).",
    )
    csv_split_column: str | None = option(
        None,
        "Column of --csv_file that holds the splits. By default split, or the one that"
        " clearly holds them under another name.",
    )
    classes: str | None = option(
        None,
        "Which folders of --image_dir are classes. top: the outermost ones, including"
        " whatever is in folders inside them. nested: every folder that holds photos,"
        " named by its path, as in animals/cat. By default top, if the folders leave no"
        " doubt.",
        choices=folder_layout.PLACES_OF_CLASSES,
    )
    labels_file: str | None = option(
        None,
        "File in the format of labels.txt (one line id:name per class) that fixes the"
        " classes and their order. By default the class names, sorted as text.",
    )
    classes_of: str | None = option(
        None,
        "Folder of a training run whose classes are used, in the same order, so that"
        " the run can be evaluated on photos of some of them.",
    )
    bits: int | None = option(
        None,
        "Bit depth of 16- and 32-bit files that do not state it, as from microscopes:"
        " 8, 10, 12, 14 or 16. By default 16, if most photos of a folder use that"
        " range; otherwise they are an error.",
        minimum=8,
        maximum=16,
    )
    max_rejected_fraction: float = option(
        rejections.MAX_FRACTION,
        "Fail if more than this fraction of the photos is damaged, empty, too large or"
        " listed under two labels.",
        minimum=0,
        maximum=1,
    )


@dataclasses.dataclass(frozen=True)
class SplitOptions(Options):
    """Splits."""

    splits: str | None = option(
        None,
        "Where folders named train, validation or test are splits. top: above the class"
        " folders. inside: in each class folder. none: nowhere, so that a class may be"
        " named test and no column of --csv_file holds splits. By default whatever the"
        " folders clearly show.",
        choices=folder_layout.PLACES_OF_SPLITS,
    )
    validation_fraction: float | None = option(
        None,
        "Fraction of the photos that becomes the validation split. By default 0.2, or 0"
        " if the folders or the CSV file already define splits; a fraction given then"
        " is taken from train.",
        minimum=0,
        maximum=1,
    )
    test_fraction: float | None = option(
        None,
        "Fraction of the photos that becomes the test split, taken in the same way. By"
        " default 0. With --classes_of or --labels_file, 1 puts all photos into the"
        " test split.",
        minimum=0,
        maximum=1,
    )
    seed: int = option(
        0, "Determines the split of each photo and the order of the records."
    )


@dataclasses.dataclass(frozen=True)
class RecordOptions(Options):
    """Data set to write."""

    dataset_dir: str | None = option(
        None, "Folder for the data set; created if it does not exist."
    )
    dataset_name: str | None = option(
        None, "Name of the data set, for --dataset_name in training."
    )
    num_shards: int = option(
        5,
        "TFRecord files per split; a split with fewer photos has one file per photo.",
        minimum=1,
        maximum=99999,
    )
    max_side: int = option(
        0,
        "Shrink photos so that the longer side has at most this many pixels; 0 keeps"
        " their size.",
        minimum=0,
    )
    num_workers: int | None = option(
        None,
        "Number of processes that check and convert photos. By default one per"
        " available CPU, or none but the command itself for few photos.",
        minimum=1,
    )


def main() -> None:
    """Reads the flags and converts."""
    # TensorFlow would claim a GPU that is not needed, and complain if there is none.
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # TensorFlow loads faster with it
    signal_errors.exit_on_sigterm()
    photos, splits = flags.read(PhotoOptions), flags.read(SplitOptions)
    records = flags.read(RecordOptions)
    wanted = flags.read(ShareOptions)
    share = shares.find_share(
        os.environ, wanted.num_tasks, wanted.task, wanted.task_wait_secs
    )
    with atomic_files.explained_errors():
        conversion.convert(
            Settings(
                image_dir=photos.image_dir,
                csv_file=photos.csv_file,
                dataset_dir=records.dataset_dir or "",
                dataset_name=records.dataset_name or "",
                validation_fraction=splits.validation_fraction,
                test_fraction=splits.test_fraction,
                num_shards=records.num_shards,
                max_side=records.max_side,
                bits=photos.bits,
                seed=splits.seed,
                classes=photos.classes,
                splits=splits.splits,
                csv_split_column=photos.csv_split_column,
                class_names=class_names.given(photos.labels_file, photos.classes_of),
            ),
            num_workers=records.num_workers,
            max_rejected_fraction=photos.max_rejected_fraction,
            share=share,
        )


if __name__ == "__main__":
    for group in (PhotoOptions, SplitOptions, RecordOptions, ShareOptions):
        flags.define(group)
    app.run(main)
