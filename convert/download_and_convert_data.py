r"""Downloads a public data set and turns it into TFRecords.

    python convert/download_and_convert_data.py --dataset_name=flowers \
        --dataset_dir=data/flowers
    python convert/download_and_convert_data.py --dataset_name=tfds:beans \
        --dataset_dir=data/beans --splits=train,validation,test
    python convert/download_and_convert_data.py --dataset_name=imagenet \
        --data_dir=/data/ILSVRC2012 --dataset_dir=data/imagenet

The files have slim's names, the dataset appears whole or not at all, and training finds
it under the same --dataset_name (without "tfds:").
"""

import script_start  # noqa: F401  (before all that takes time)

import functools
import os
import signal
import sys
from collections.abc import Callable

from absl import flags

from common import atomic_files

# Nothing up here imports TensorFlow: each worker process imports this file too.
from config import app
from convert.public_data import (
    imagenet_folders,
    stock_datasets,
    tfds_source,
    visual_wake_words,
)
from convert.public_data.collection import Collection
from convert.tfrecords import parallel
from errors import UserError, nearest

FLAGS = flags.FLAGS

_TFDS = tfds_source.PREFIX
_NAMES = ("cifar10", "flowers", "imagenet", "mnist", "visualwakewords")


def main() -> None:
    """Reads the flags and converts."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # nothing here needs a GPU
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    name, dataset_dir = FLAGS.dataset_name, FLAGS.dataset_dir
    if not name.startswith(_TFDS) and name not in _NAMES:
        raise UserError(
            f"--dataset_name={name}: no such data set{nearest(name, _NAMES)}; there are"
            f" {', '.join(_NAMES)}, and {_TFDS}NAME for those of tensorflow-datasets"
        )
    if not dataset_dir:
        raise UserError("no --dataset_dir: name a folder for the dataset")
    with atomic_files.explained_errors():
        _convert(name, dataset_dir)


def _convert(name: str, dataset_dir: str) -> None:
    from convert.public_data import (
        collection_writer,  # needs TensorFlow, which takes seconds
    )

    read, settings = _reader(name, dataset_dir)
    collection_writer.convert(
        read,
        dataset_dir=dataset_dir,
        dataset_name=tfds_source.dataset_name(name.removeprefix(_TFDS)),
        settings={
            "dataset_name": name,
            **{flag: FLAGS[flag].value for flag in settings},
        },
        num_workers=FLAGS.num_workers or parallel.num_usable_cpus(),
    )


def _reader(name: str, dataset_dir: str) -> tuple[Callable[[], Collection], list[str]]:
    """What reads a data set, and the flags that decide what it reads."""
    if name.startswith(_TFDS):
        return functools.partial(
            tfds_source.tfds_collection,
            name.removeprefix(_TFDS),
            splits=FLAGS.splits,
            data_dir=FLAGS.data_dir,
            num_shards=FLAGS.num_shards,
        ), ["splits", "num_shards"]
    data_dir = FLAGS.data_dir or os.path.join(dataset_dir, "downloads")
    if name == "visualwakewords":
        return functools.partial(
            visual_wake_words.visual_wake_words,
            data_dir,
            foreground=FLAGS.foreground_class_of_interest,
            area=FLAGS.small_object_area_threshold,
        ), ["foreground_class_of_interest", "small_object_area_threshold"]
    return functools.partial(_READERS[name], data_dir), []


_READERS = {
    "cifar10": stock_datasets.cifar10,
    "flowers": stock_datasets.flowers,
    "imagenet": imagenet_folders.imagenet_folders,
    "mnist": stock_datasets.mnist,
}


def define_flags() -> None:
    """Defines the script's flags."""
    flags.DEFINE_string(
        "dataset_name",
        None,
        f"One of {', '.join(_NAMES)}; or {_TFDS}NAME, an image-classification data set"
        " of tensorflow-datasets (pip install tensorflow-datasets).",
    )
    flags.DEFINE_string(
        "dataset_dir", None, "Folder for the TFRecords; made if absent."
    )
    flags.DEFINE_string(
        "data_dir",
        None,
        "Where downloads are kept, and found if you put them there by hand; with"
        f" {_TFDS}NAME the folder of tensorflow-datasets; with imagenet the folder that"
        " holds train/ and val/. Default: downloads/ in --dataset_dir, and with"
        f" {_TFDS}NAME ~/tensorflow_datasets.",
    )
    flags.DEFINE_string(
        "splits",
        "",
        f"With {_TFDS}NAME: the parts to convert, as in train[:80%],train[80%:] (train"
        " and validation) or train=train[:80%],mine=train[80%:]+test. Default: the"
        " splits of the data set.",
    )
    flags.DEFINE_integer(
        "num_shards",
        5,
        f"With {_TFDS}NAME: TFRecord files a split.",
        lower_bound=1,
        upper_bound=99999,
    )
    flags.DEFINE_integer(
        "num_workers",
        None,
        "Processes that check images. Default: the processors there are.",
        lower_bound=1,
    )
    flags.DEFINE_float(
        "small_object_area_threshold",
        0.005,
        "With visualwakewords: the share of a photo that an object must exceed.",
    )
    flags.DEFINE_string(
        "foreground_class_of_interest",
        "person",
        "With visualwakewords: the object to look for, a category of COCO.",
    )
    flags.mark_flags_as_required(["dataset_name", "dataset_dir"])


if __name__ == "__main__":
    define_flags()
    app.run(main)
