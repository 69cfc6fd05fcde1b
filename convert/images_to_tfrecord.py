r"""Turns a folder of photos into TFRecords that training and evaluation read.

    python convert/images_to_tfrecord.py --image_dir=photos --dataset_dir=data/stamps \
        --dataset_name=stamps

The folder holds one folder a class; or train/, validation/ and test/ with the class
folders inside; or the same three inside each class folder. --csv_file lists photos
instead. What can be read in two ways is refused: the message names both, and the flag
that decides. The dataset appears whole or not at all; photos that cannot be used are
listed in its rejected.csv.

To evaluate a run on other photos, of some of its classes:

    python convert/images_to_tfrecord.py --image_dir=more --dataset_dir=data/more \
        --dataset_name=more --classes_of=runs/stamps --test_fraction=1
"""

import script_start  # noqa: F401  (before all that takes time)

import os
import signal
import sys

from absl import flags

from common import atomic_files

# Nothing up here imports TensorFlow: each worker process imports this file too.
from config import app
from convert.photos import class_names, conversion, folder_layout
from convert.photos.conversion_record import Settings
from convert.tfrecords import parallel, rejections

_IMAGE_DIR = flags.DEFINE_string(
    "image_dir",
    None,
    "Folder with one folder a class, or with train/, validation/ and test/ above the"
    " class folders. With --csv_file: where its relative paths begin.",
)
_CSV_FILE = flags.DEFINE_string(
    "csv_file",
    None,
    "UTF-8 file that lists the photos in place of folders: columns path, label and, if"
    " wanted, split (train, validation, test or empty).",
)
_CSV_SPLIT_COLUMN = flags.DEFINE_string(
    "csv_split_column",
    None,
    "The column of --csv_file that says the splits. Default: split, or the one that"
    " plainly says them under another name.",
)
_CLASSES = flags.DEFINE_enum(
    "classes",
    None,
    folder_layout.PLACES_OF_CLASSES,
    "Which folders of --image_dir are classes. top: the uppermost, and the folders"
    " inside belong to them. nested: each that holds photos, called by its path as in"
    " animals/cat. Default: top, where the folders leave no doubt.",
)
_SPLITS = flags.DEFINE_enum(
    "splits",
    None,
    folder_layout.PLACES_OF_SPLITS,
    "Where folders called train, validation or test are splits. top: above the class"
    " folders. inside: in each class folder. none: nowhere, so that a class may be"
    " called test; nor does a column of --csv_file say splits. Default: as the folders"
    " plainly say.",
)
_LABELS_FILE = flags.DEFINE_string(
    "labels_file",
    None,
    "File as labels.txt (a line id:name for each class) that gives the classes and"
    " their order. Default: the names of the classes in the order of text.",
)
_CLASSES_OF = flags.DEFINE_string(
    "classes_of",
    None,
    "Folder of a training run: takes its classes in its order, so that it can be"
    " evaluated on photos of some of them.",
)
_DATASET_DIR = flags.DEFINE_string(
    "dataset_dir", None, "Folder for the dataset; made if absent."
)
_DATASET_NAME = flags.DEFINE_string(
    "dataset_name", None, "What training calls the dataset, as in stamps."
)
_VALIDATION_FRACTION = flags.DEFINE_float(
    "validation_fraction",
    None,
    "Share of the photos that becomes the validation split. Default 0.2, or 0 where"
    " folders or the CSV file divide the photos already; then a share that you give is"
    " taken from train.",
    lower_bound=0,
    upper_bound=1,
)
_TEST_FRACTION = flags.DEFINE_float(
    "test_fraction",
    None,
    "Share of the photos that becomes the test split, taken as the one above."
    " Default 0. 1 makes all a test split, with --classes_of or --labels_file.",
    lower_bound=0,
    upper_bound=1,
)
_NUM_SHARDS = flags.DEFINE_integer(
    "num_shards",
    5,
    "TFRecord files a split; a split of fewer photos gets a file a photo.",
    lower_bound=1,
    upper_bound=99999,
)
_NUM_WORKERS = flags.DEFINE_integer(
    "num_workers",
    None,
    "Processes that check and convert photos. Default: the processors there are.",
    lower_bound=1,
)
_MAX_SIDE = flags.DEFINE_integer(
    "max_side",
    0,
    "Shrink photos whose longer side exceeds this many pixels to it. 0: none.",
    lower_bound=0,
)
_BITS = flags.DEFINE_integer(
    "bits",
    None,
    "Bits that 16- and 32-bit files hold where they do not say it themselves, as of"
    " microscopes: 8, 10, 12, 14 or 16. By default 16 where most photos of a folder use"
    " them; others are an error (slim: none).",
    lower_bound=8,
    upper_bound=16,
)
_MAX_REJECTED_FRACTION = flags.DEFINE_float(
    "max_rejected_fraction",
    rejections.MAX_FRACTION,
    "Fail when more than this share of the photos is damaged, empty, absurdly large or"
    " under two labels.",
    lower_bound=0,
    upper_bound=1,
)
_SEED = flags.DEFINE_integer(
    "seed", 0, "Decides the split of each photo and the order of the records."
)


def main() -> None:
    """Reads the flags and converts."""
    # TensorFlow would claim a GPU for this, and complain where it finds none.
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with atomic_files.explained_errors():
        conversion.convert(
            Settings(
                image_dir=_IMAGE_DIR.value,
                csv_file=_CSV_FILE.value,
                dataset_dir=_DATASET_DIR.value,
                dataset_name=_DATASET_NAME.value,
                validation_fraction=_VALIDATION_FRACTION.value,
                test_fraction=_TEST_FRACTION.value,
                num_shards=_NUM_SHARDS.value,
                max_side=_MAX_SIDE.value,
                bits=_BITS.value,
                seed=_SEED.value,
                classes=_CLASSES.value,
                splits=_SPLITS.value,
                csv_split_column=_CSV_SPLIT_COLUMN.value,
                class_names=class_names.given(_LABELS_FILE.value, _CLASSES_OF.value),
            ),
            num_workers=_NUM_WORKERS.value or parallel.num_usable_cpus(),
            max_rejected_fraction=_MAX_REJECTED_FRACTION.value,
        )


if __name__ == "__main__":
    app.run(main)
