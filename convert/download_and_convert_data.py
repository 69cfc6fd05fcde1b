r"""Downloads a public data set and converts it to TFRecords.

    python convert/download_and_convert_data.py --dataset_name=flowers \
        --dataset_dir=data/flowers
    python convert/download_and_convert_data.py --dataset_name=tfds:beans \
        --dataset_dir=data/beans --splits=train,validation,test
    python convert/download_and_convert_data.py --dataset_name=imagenet \
        --data_dir=/data/ILSVRC2012 --dataset_dir=data/imagenet

The files have slim's names, the data set appears as a whole or not at all, and training
finds it under the same --dataset_name (without "tfds:").
"""

import script_start  # noqa: F401  (before all that takes time)

import dataclasses
import functools
import os
from collections.abc import Callable

from common import atomic_files, signal_errors, storage

# Nothing here imports TensorFlow: every worker process imports this file, too.
from config import app, flags
from config.options import Options, option
from convert.public_data import (
    imagenet_folders,
    stock_datasets,
    tfds_source,
    visual_wake_words,
)
from convert.public_data.collection import Collection
from convert.tfrecords import parallel
from errors import UserError, nearest

_TFDS = tfds_source.PREFIX
_NAMES = ("cifar10", "flowers", "imagenet", "mnist", "visualwakewords")


@dataclasses.dataclass(frozen=True)
class DataOptions(Options):
    """Public data set."""

    dataset_name: str = option(
        None,
        f"One of {', '.join(_NAMES)}; or {_TFDS}NAME, an image-classification data set"
        " of tensorflow-datasets (pip install tensorflow-datasets).",
        required=True,
    )
    dataset_dir: str = option(
        None,
        "Folder for the TFRecords; created if it does not exist.",
        required=True,
    )
    data_dir: str | None = option(
        None,
        "Folder for downloads; files already there are used. With imagenet: the folder"
        f" that holds train/ and val/. With {_TFDS}NAME: the folder of"
        " tensorflow-datasets. By default downloads/ in --dataset_dir, if that is a"
        f" local folder, and with {_TFDS}NAME ~/tensorflow_datasets (not a slim flag).",
    )
    splits: str = option(
        "",
        f"With {_TFDS}NAME: the parts to convert, as in train[:80%],train[80%:] (train"
        " and validation) or train=train[:80%],mine=train[80%:]+test. By default the"
        " splits of the data set (not a slim flag).",
    )
    num_shards: int = option(
        5,
        f"With {_TFDS}NAME: TFRecord files per split (not a slim flag).",
        minimum=1,
        maximum=99999,
    )
    num_workers: int | None = option(
        None,
        "Number of processes that check images. By default one per available CPU (not a"
        " slim flag).",
        minimum=1,
    )
    small_object_area_threshold: float = option(
        0.005,
        "With visualwakewords: the fraction of a photo's area that an object must"
        " exceed.",
    )
    foreground_class_of_interest: str = option(
        "person", "With visualwakewords: the object to look for, a COCO category."
    )


def main() -> None:
    """Converts the data set that the flags name."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # nothing here needs a GPU
    signal_errors.exit_on_sigterm()
    options = flags.read(DataOptions)
    name = options.dataset_name
    if not name.startswith(_TFDS) and name not in _NAMES:
        raise UserError(
            f"--dataset_name={name}: no such data set{nearest(name, _NAMES)}; expected"
            f" one of {', '.join(_NAMES)}, or {_TFDS}NAME for a data set of"
            " tensorflow-datasets"
        )
    with atomic_files.explained_errors():
        _convert(options)


def _convert(options: DataOptions) -> None:
    from convert.public_data import (
        collection_writer,  # imports TensorFlow, which takes seconds
    )

    read, settings = _reader(options)
    name = options.dataset_name
    collection_writer.convert(
        read,
        dataset_dir=options.dataset_dir,
        dataset_name=tfds_source.dataset_name(name.removeprefix(_TFDS)),
        settings={
            "dataset_name": name,
            **{flag: getattr(options, flag) for flag in settings},
        },
        num_workers=options.num_workers or parallel.num_usable_cpus(),
    )


def _reader(options: DataOptions) -> tuple[Callable[[], Collection], list[str]]:
    """The function that reads a data set, and the flags that determine its content."""
    name = options.dataset_name
    if name.startswith(_TFDS):
        return functools.partial(
            tfds_source.tfds_collection,
            name.removeprefix(_TFDS),
            splits=options.splits,
            data_dir=options.data_dir,
            num_shards=options.num_shards,
        ), ["splits", "num_shards"]
    data_dir = _data_dir(options)
    if name == "visualwakewords":
        return functools.partial(
            visual_wake_words.visual_wake_words,
            data_dir,
            foreground=options.foreground_class_of_interest,
            area=options.small_object_area_threshold,
        ), ["foreground_class_of_interest", "small_object_area_threshold"]
    return functools.partial(_READERS[name], data_dir), []


def _data_dir(options: DataOptions) -> str:
    """The local folder for downloads, or with the photos.

    Raises:
      UserError: it is in object storage.
    """
    if storage.is_object(options.dataset_dir) and not options.data_dir:
        raise UserError(
            f"--data_dir is missing: with --dataset_dir={options.dataset_dir}, name a"
            " local folder for the downloads, or with the photos"
        )
    storage.require_local(
        options.data_dir, flag="data_dir", instead="name a local folder"
    )
    return options.data_dir or os.path.join(options.dataset_dir, "downloads")


_READERS = {
    "cifar10": stock_datasets.cifar10,
    "flowers": stock_datasets.flowers,
    "imagenet": imagenet_folders.imagenet_folders,
    "mnist": stock_datasets.mnist,
}


if __name__ == "__main__":
    flags.define(DataOptions)
    app.run(main)
