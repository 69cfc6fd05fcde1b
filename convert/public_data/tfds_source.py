"""Image-classification data sets of tensorflow-datasets, an optional package."""

import functools
import importlib
import os
import re
from collections.abc import Iterator
from typing import Any

from convert.public_data.collection import Collection, Example, Split, shard_names
from errors import UserError, first_line, nearest

PREFIX = "tfds:"
_USUAL_SPLITS = ("train", "validation", "test")


def dataset_name(tfds_name: str) -> str:
    """A data set's name in training: "cifar10" for "cifar10/config:3.0.2"."""
    return re.split("[/:]", tfds_name)[0]


def parse_splits(text: str) -> dict[str, str]:
    """The parts of the data for each split, by the split's name.

    Args:
      text: the value of `--splits`: comma-separated parts in the syntax of
        tensorflow-datasets, "train[:80%]", optionally with a name, as in
        "validation=train[80%:]". A part without a name is named after the split that
        it comes from or, if that is taken, gets the first free name of train,
        validation and test.

    Raises:
      UserError: a name is given twice, or no name is free.
    """
    splits: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, given, spec = part.rpartition("=")
        own = re.split(r"\W", part)[0]
        names = [name] if given else [own, *_USUAL_SPLITS]
        free = [name for name in names if name not in splits]
        if not free or not re.fullmatch(r"\w+", free[0]):
            raise UserError(
                f"--splits={text}: {part!r} needs its own name, as in"
                " --splits=train=train[:80%],validation=train[80%:]"
            )
        splits[free[0]] = spec
    return splits


def tfds_collection(
    tfds_name: str, splits: str, data_dir: str | None, num_shards: int
) -> Collection:
    """Prepares a data set, downloading it if necessary.

    Args:
      tfds_name: as in tensorflow-datasets: name, name/config or name:version.
      splits: see `parse_splits`; "" uses the data set's own splits.
      data_dir: the data folder of tensorflow-datasets; None is its default.
      num_shards: TFRecord files per split.

    Raises:
      UserError: the package is not installed, there is no such data set, it cannot be
        prepared, or its examples are not images with labels.
    """
    wanted = parse_splits(splits)
    builder = _builder(tfds_name, data_dir)
    image, label = _keys(builder)
    _prepare(builder, tfds_name)
    found = {}
    for split, spec in (wanted or {name: name for name in builder.info.splits}).items():
        pattern = f"{dataset_name(tfds_name)}_{split}_%05d-of-%05d.tfrecord"
        number = _count(builder, spec)
        found[split] = Split(
            shard_names(pattern, num_shards, number),
            number,
            functools.partial(_read, builder, split, spec, image, label),
        )
    features = builder.info.features
    return Collection(
        tuple(features[label].names), found, 1 if features[image].shape[-1] == 1 else 3
    )


def _tfds() -> Any:
    try:
        return importlib.import_module("tensorflow_datasets")
    except ImportError as error:
        raise UserError(
            f"--dataset_name={PREFIX}… needs the package tensorflow-datasets ({error}):"
            " pip install tensorflow-datasets importlib_resources"
        ) from error


def _builder(tfds_name: str, data_dir: str | None) -> Any:
    tfds = _tfds()
    try:
        return tfds.builder(tfds_name, data_dir=data_dir)
    except Exception as error:  # many kinds, depending on what is wrong with the name
        known = tfds.list_builders(with_community_datasets=False)
        name = dataset_name(tfds_name)
        reason = f"no such data set{nearest(name, known)}"
        raise UserError(
            f"--dataset_name={PREFIX}{tfds_name}:"
            f" {first_line(error) if name in known else reason}; for names, see"
            " https://www.tensorflow.org/datasets/catalog"
        ) from error


def _keys(builder: Any) -> tuple[str, str]:
    """The keys of image and label."""
    features = _tfds().features
    kinds: dict[type, list[str]] = {features.Image: [], features.ClassLabel: []}
    for key, feature in builder.info.features.items():
        if type(feature) in kinds:
            kinds[type(feature)].append(key)
    pair = builder.info.supervised_keys or ()
    found = []
    for keys in kinds.values():
        preferred = [key for key in keys if key in pair] or keys
        if len(preferred) != 1:
            raise UserError(
                f"{builder.name} is not for image classification: it has"
                f" {', '.join(builder.info.features)}, expected one image and one label"
            )
        found += preferred
    return found[0], found[1]


def _prepare(builder: Any, tfds_name: str) -> None:
    try:
        builder.download_and_prepare()
    except Exception as error:  # many kinds, depending on what fails
        manual = os.path.join(
            os.path.dirname(os.path.dirname(builder.data_dir)), "downloads", "manual"
        )
        raise UserError(
            f"{tfds_name} cannot be prepared ({first_line(error)}): put what it asks"
            f" for into {manual}, or copy {builder.data_dir} from a machine where it"
            " works, and try again with the same --data_dir"
        ) from error


def _dataset(builder: Any, spec: str) -> Any:
    """The examples of a part, with encoded images, always in the same order."""
    tfds = _tfds()
    image, _ = _keys(builder)
    try:
        return builder.as_dataset(
            split=spec,
            decoders={image: tfds.decode.SkipDecoding()},
            shuffle_files=False,
        )
    except Exception as error:  # many kinds, depending on what is wrong with the split
        raise UserError(
            f"--splits: {builder.name} has no {spec!r} ({first_line(error)}); its"
            f" splits are {', '.join(builder.info.splits)}"
        ) from error


def _count(builder: Any, spec: str) -> int:
    dataset = _dataset(builder, spec)
    known = int(dataset.cardinality())
    return known if known >= 0 else sum(1 for _ in dataset)


def _read(
    builder: Any, split: str, spec: str, image: str, label: str
) -> Iterator[Example]:
    for number, example in enumerate(_dataset(builder, spec).as_numpy_iterator()):
        if example[label] < 0:
            raise UserError(
                f"{builder.name}: the split {split!r} ({spec}) has images without"
                " labels: omit it with --splits"
            )
        yield Example(example[image], int(example[label]), f"{split}/{number}")
