r"""Makes a split of a data set from unlabeled photos, labeled by a trained net.

    python convert/pseudo_label.py --checkpoint_path=runs/a --image_dir=more

A photo gets the class that the run predicts with a probability of --threshold or more
(FixMatch, Sohn et al. 2020, equation 4); all others are left out. The classes are made
equal: of each, the most confident photos are kept, as many as the class with the fewest
has. Photos that the data set has already are left out. The split joins the run's data
set, for --mixed_in_split_name in training.
"""

import script_start  # noqa: F401  (before all that takes time)

import collections
import concurrent.futures
import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from absl import logging

import common.quiet_tensorflow  # noqa: F401  (before others load it)
from common import atomic_files, storage, tables
from common.in_order import in_order
from common.progress import progress
from common.untrusted_text import first_few
from config import app, flags
from config.predict_config import PredictOptions
from config.pseudo_label_config import PseudoLabelConfig, PseudoLabelOptions
from convert.inspection import survey
from convert.tfrecords import shard_writer
from convert.tfrecords.shards import filenames_of
from datasets import dataset_factory, dataset_json
from datasets.dataset_json import DatasetInfo, SplitInfo
from datasets.photos import photo_codec
from datasets.photos.unfit_photos import UnfitPhotoError
from engine import devices, predict
from engine.prediction import prediction_photos
from engine.prediction.prediction_photos import PredictionPhotos
from engine.restored import checkpoint_run, classifier
from engine.restored.classifier import Classifier
from errors import UserError


@dataclasses.dataclass(frozen=True)
class _Labeled:
    """A photo with the class predicted for it.

    Attributes:
      path: the file.
      index: the index of its largest logit.
      probability: the probability of that class.
    """

    path: str
    index: int
    probability: float


@atomic_files.explained_errors()
def write_split(config: PseudoLabelConfig) -> SplitInfo:
    """Labels photos and adds those of which the net is sure to its data set.

    Returns:
      The new split.

    Raises:
      UserError: wrong input, or no photo that the net is sure of; nothing is written.
    """
    options = config.labeling
    dataset_dir = config.net.dataset_dir or _dataset_dir_of(options)
    info = _read_info(dataset_dir, options.split_name)
    photos = prediction_photos.find([options.image_dir or ""])
    devices.make_strategy(1)
    net = classifier.load(
        options.checkpoint_path or "",
        dataclasses.replace(config.net, dataset_dir=dataset_dir),
        use_moving_average=bool(options.moving_average_decay),
    )
    offset = net.info.labels_offset
    if tuple(net.labels) != info.classes[offset:]:
        raise UserError(
            f"{options.checkpoint_path} was trained on other classes"
            f" ({first_few(net.labels)}) than {dataset_dir} has"
            f" ({first_few(info.classes[offset:])}): give the --dataset_dir of that run"
        )
    labeled = _label(net, photos, info.bits, options)
    labeled = _without_copies(labeled, options.threshold, info, dataset_dir)
    kept = select(labeled, options.threshold, options.images_per_class)
    _show(net, labeled, kept, options)
    return _write(kept, offset, info, dataset_dir, options)


def _dataset_dir_of(options: PseudoLabelOptions) -> str:
    """The data set's folder as recorded in the checkpoint's `run.json`."""
    path = os.path.expanduser(options.checkpoint_path or "")
    run = checkpoint_run.read(
        path if storage.is_folder(path) else os.path.dirname(path)
    )
    if run is None or not run.dataset_dir:
        raise UserError(
            f"no run.json next to {path} says where the run's data set is: give"
            " --dataset_dir"
        )
    return run.dataset_dir


def _read_info(dataset_dir: str, split_name: str) -> DatasetInfo:
    info = dataset_json.read(dataset_dir)
    if info is None:
        raise UserError(
            f"{dataset_dir} has no dataset.json, to which a split could be added:"
            " convert the photos with convert/images_to_tfrecord.py, or give another"
            " --dataset_dir"
        )
    if split_name in info.splits:
        raise UserError(
            f"{dataset_dir} has a split {split_name!r} already, its splits are"
            f" {', '.join(sorted(info.splits))}: give another --split_name"
        )
    return info


def _label(
    net: Classifier,
    photos: PredictionPhotos,
    bits: int | None,
    options: PseudoLabelOptions,
) -> list[_Labeled]:
    """All photos that can be read, with the likeliest class of each."""
    how = PredictOptions(
        checkpoint_path=options.checkpoint_path,
        batch_size=options.batch_size,
        num_preprocessing_threads=options.num_preprocessing_threads,
        bits=bits,
    )
    labeled = []
    for path, answer in photos.walk(predict.classifying([net], how)):
        if isinstance(answer, UnfitPhotoError):
            continue
        probabilities = answer["probabilities"]
        index = int(np.argmax(probabilities))
        labeled.append(_Labeled(path, index, float(probabilities[index])))
    photos.report()
    photos.require_some()
    return labeled


def _without_copies(
    labeled: Sequence[_Labeled], threshold: float, info: DatasetInfo, dataset_dir: str
) -> list[_Labeled]:
    """The photos less those that could be taken but are in the data set already.

    Images of a validation split must not be trained on, and those of the training
    split have labels.

    Raises:
      UserError: a record cannot be read, or no photo is left.
    """
    split_of: dict[bytes, str] = {}
    for name in info.splits:
        dataset = dataset_factory.get_dataset(info.name, name, dataset_dir)
        for _, features in progress(
            survey.records_of(dataset),
            total=dataset.num_examples,
            desc=f"comparing with {name}",
            unit="image",
        ):
            split_of[_digest(survey.encoded_of(features))] = name
    left = []
    copies: collections.Counter[str] = collections.Counter()
    for one in labeled:
        encoded = b""
        if one.probability >= threshold:
            with contextlib.suppress(UnfitPhotoError):  # writing reports it
                encoded = photo_codec.read(one.path, info.bits).encoded
        if split := split_of.get(_digest(encoded)):
            copies[split] += 1
        else:
            left.append(one)
    if copies:
        number = sum(copies.values())
        where = ", ".join(f"{count} in {name}" for name, count in copies.items())
        if not left:
            raise UserError(
                f"all {number} photos are in {dataset_dir} already ({where}): give an"
                " --image_dir with others"
            )
        logging.warning(
            "%d of %d photos are in the data set already and are left out: %s",
            *(number, len(labeled), where),
        )
    return left


def _digest(encoded: bytes) -> bytes:
    return hashlib.sha256(encoded).digest()


def select(
    labeled: Sequence[Any], threshold: float, images_per_class: int | None
) -> list[Any]:
    """The photos to keep, equally many of each class.

    Args:
      labeled: photos with an `index` of a class and a `probability`.
      threshold: least probability.
      images_per_class: most photos of a class, 0 for all; None for as many as the
        class with the fewest has, classes without any left aside.

    Returns:
      Those of the largest probabilities, in the order given.

    Raises:
      UserError: no photo reaches the threshold.
    """
    by_class: dict[int, list[Any]] = {}
    for one in labeled:
        if one.probability >= threshold:
            by_class.setdefault(one.index, []).append(one)
    if not by_class:
        highest = max(one.probability for one in labeled)
        raise UserError(
            f"none of {len(labeled)} photos is predicted with a probability of"
            f" --threshold={threshold:g} or more, the highest is {highest:.4f}: lower"
            " it, or train the run further"
        )
    if images_per_class is None:
        images_per_class = min(map(len, by_class.values()))
    kept = set()
    for members in by_class.values():
        members.sort(key=lambda one: -one.probability)
        kept.update(members[: images_per_class or None])
    return [one for one in labeled if one in kept]


def _show(
    net: Classifier,
    labeled: Sequence[_Labeled],
    kept: Sequence[_Labeled],
    options: PseudoLabelOptions,
) -> None:
    """Prints how many photos of each class were predicted, sure enough, and kept."""
    sure = [one for one in labeled if one.probability >= options.threshold]
    groups = labeled, sure, kept
    counts = [
        np.bincount([o.index for o in g], minlength=len(net.labels)).tolist()
        for g in groups
    ]
    rows = [[n, *map(str, c)] for n, *c in zip(net.labels, *counts, strict=True)]
    rows.append(["all", *(str(len(group)) for group in groups)])
    headers = ["class", "predicted", f"at {options.threshold:g} or more", "kept"]
    print(tables.printed(headers, rows), flush=True)
    if missing := [n for n, c in zip(net.labels, counts[1], strict=True) if not c]:
        logging.warning("no photo reaches --threshold for %s", first_few(missing))


def _write(
    kept: Sequence[_Labeled],
    offset: int,
    info: DatasetInfo,
    dataset_dir: str,
    options: PseudoLabelOptions,
) -> SplitInfo:
    """Writes the records aside, then moves them and adds them to dataset.json."""
    number = min(options.num_shards, len(kept))
    stem = f"{info.name}_{options.split_name}"
    names = filenames_of(stem, number)

    def record(one: _Labeled) -> bytes:
        name = os.path.relpath(one.path, options.image_dir)
        photo = photo_codec.read(one.path, info.bits)
        return shard_writer.serialize(photo, one.index + offset, name)

    num_threads = options.num_preprocessing_threads
    with (
        atomic_files.scratch_directory(dataset_dir, "pseudo_label") as scratch,
        concurrent.futures.ThreadPoolExecutor(num_threads) as executor,
    ):
        records = in_order(executor, record, kept, 4 * num_threads)
        try:
            shards = shard_writer.write_shards(records, len(kept), scratch, names)
        except UnfitPhotoError as error:
            raise UserError(
                f"a photo changed while it was read ({error}): start again"
            ) from error
        labels = [one.index + offset for one in kept]
        counts = np.bincount(labels, minlength=len(info.classes)).tolist()
        split = SplitInfo(len(kept), tuple(counts), shards)
        splits = {**info.splits, options.split_name: split}
        _publish(scratch, names, dataset_dir, dataclasses.replace(info, splits=splits))
    logging.info(
        "%s: split %r has %d photos; train with --mixed_in_split_name=%s"
        " --mixed_in_fraction=0.25",
        *(dataset_dir, options.split_name, len(kept), options.split_name),
    )
    return split


def _publish(
    scratch: str, names: Sequence[str], dataset_dir: str, info: DatasetInfo
) -> None:
    """Moves the files; a split is there once dataset.json says so, which is last."""
    paths = [os.path.join(dataset_dir, name) for name in names]
    try:
        for name, path in zip(names, paths, strict=True):
            atomic_files.move(os.path.join(scratch, name), path)
        atomic_files.sync_directory(dataset_dir)
        dataset_json.write(dataset_dir, info)
    except BaseException:
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                storage.remove(path)
        raise


def main() -> None:
    """Labels what the flags name."""
    write_split(flags.read(PseudoLabelConfig))


if __name__ == "__main__":
    flags.define(PseudoLabelConfig)
    app.run(main, in_one_task=True)
