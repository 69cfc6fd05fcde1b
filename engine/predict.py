"""Prediction from start to end: checkpoints, photos, classes or features, a file."""

import dataclasses
import os
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from checkpoints import slim_format
from cluster.shares import Share, find_share
from common import storage, tables
from common.atomic_files import atomic_write, explained_errors
from config.options import split_list
from config.predict_config import PredictConfig, PredictOptions
from datasets.photos.unfit_photos import UnfitPhotoError
from engine import devices
from engine.prediction import end_points, feature_file, prediction_photos, predictions
from engine.prediction import ensemble as ensembles
from engine.prediction.ensemble import Ensemble
from engine.prediction.photo_batches import Arrays, PhotoBatches
from engine.prediction.prediction_photos import PredictionPhotos
from engine.prediction.predictions import Prediction
from engine.prediction.shared_prediction import SharedPrediction
from engine.restored import classifier as classifiers
from engine.restored.classifier import Classifier
from errors import NotFiniteError, UserError

_SOME_UNREADABLE = 1  # the exit status


def predict(config: PredictConfig, where: Sequence[str]) -> int:
    """Predicts what photos show, or writes their features.

    Args:
      config: the options.
      where: files, folders and patterns.

    Returns:
      The exit status: 0, or 1 where some photos could not be read; each is named.

    Raises:
      UserError: wrong input, no photo that can be read, or outputs of the net that are
        not finite (`NotFiniteError`); another task's part did not come (`PeerError`).
    """
    options, wanted = config.predict, config.share
    share = find_share(os.environ, wanted.num_tasks, wanted.task, wanted.task_wait_secs)
    if not share.is_all and not options.output_file:
        raise UserError(
            f"--output_file is missing: this is {share}, and what the tasks find is put"
            " together in a file"
        )
    photos = prediction_photos.find(where)
    _require_folder(options.output_file)
    if not share.is_all:
        devices.leave_gpus_to_others(os.environ)
    devices.make_strategy(1)
    paths = split_list(options.checkpoint_path)
    slim_format.find_checkpoints(paths)  # each names a checkpoint, and a different one
    members = [
        classifiers.load(
            path,
            config.net,
            use_moving_average=bool(options.moving_average_decay),
            needs_head=options.output == "classes",
        )
        for path in paths
    ]
    options = dataclasses.replace(options, bits=options.bits or _bits(members))
    if options.output == "features":
        batches = end_points.extracting(members[0], options)
    else:
        ensembles.require_same_classes(members, paths)
        batches = classifying(members, options)
    if not share.is_all:
        return _predict_share(config, share, photos, batches, members)
    if options.output == "features":
        _write_features(_feature_rows(photos, batches), photos, options)
    else:
        found = _predictions(photos, batches, members[0], options)
        photos.require_some()
        _write_classes(found, options)
    return _report(photos)


def _report(photos: PredictionPhotos) -> int:
    photos.report()
    return _SOME_UNREADABLE if photos.faults else 0


def _predict_share(
    config: PredictConfig,
    share: Share,
    photos: PredictionPhotos,
    batches: PhotoBatches,
    members: Sequence[Classifier],
) -> int:
    """Does this task's blocks, and as the first task puts all of them together."""
    options = config.predict
    has_features = options.output == "features"
    with explained_errors():
        shared = SharedPrediction(config, photos, members)
        if (status := shared.status_of_done()) is not None:
            logging.info(
                "%s already exists, written by this command", options.output_file
            )
            return status

        def predict(block: PredictionPhotos, file: str) -> Sequence[Prediction]:
            if has_features:
                feature_file.write(file, _feature_rows(block, batches))
                return ()
            return _predictions(block, batches, members[0], options)

        mine = shared.do_share(share, predict)
        if not share.is_first:
            logging.info("done; task 0 merges all parts into %s", options.output_file)
            return _report(mine)
        share.wait_for(shared.missing, "predictions")
        found = shared.predictions()
        photos.require_some()
        if has_features:
            _write_features(shared.features(), photos, options)
        else:
            _write_classes(found, options)
        status = _report(photos)
        shared.finish(status)
        return status


def _bits(members: Sequence[Classifier]) -> int | None:
    """The bits that the checkpoints' data sets assume for photos that name none."""
    found = {member.info.bits for member in members} - {None}
    if len(found) > 1:
        raise UserError(
            f"the checkpoints were trained on photos of {' and '.join(map(str, found))}"
            " bits: give the --bits of these photos"
        )
    return found.pop() if found else None


def _require_folder(output_file: str | None) -> None:
    folder = os.path.dirname(output_file or "") or "."
    if not storage.is_object(output_file) and not os.path.isdir(folder):
        raise UserError(
            f"--output_file={output_file}: there is no folder {folder}; create it first"
        )


def _predictions(
    photos: PredictionPhotos,
    batches: PhotoBatches,
    member: Classifier,
    options: PredictOptions,
) -> list[Prediction]:
    """The likeliest classes of photos, and what is wrong with the unfit ones."""
    found = []
    for photo, answer in photos.walk(batches):
        if isinstance(answer, UnfitPhotoError):
            found.append(Prediction(photo, (), str(answer)))
            continue
        found.append(
            predictions.likeliest(
                photo,
                answer["probabilities"],
                member.labels,
                top_k=options.top_k or predictions.DEFAULT_TOP_K,
                labels_offset=member.info.labels_offset,
            )
        )
    return found


def _write_classes(found: Sequence[Prediction], options: PredictOptions) -> None:
    text = _text(found, options)
    # A name from a file system in another encoding may not be valid Unicode.
    content = text.encode("utf-8", "backslashreplace")
    if options.output_file:
        with explained_errors(), atomic_write(options.output_file) as file:
            file.write(content)
        logging.info("wrote %s: %d photos", options.output_file, len(found))
    else:
        print(content.decode(), end="", flush=True)


def _text(found: Sequence[Prediction], options: PredictOptions) -> str:
    if options.format != "table":
        return predictions.FORMATS[options.format](found)
    # Lines in a file are not shortened to the width of the terminal.
    make_table = tables.text_table if options.output_file else tables.printed
    if options.top_k:
        return predictions.as_table(found, make_table)
    return predictions.as_overview(found, make_table)


def classifying(members: Sequence[Classifier], options: PredictOptions) -> PhotoBatches:
    """Computes probabilities of photos, averaged over checkpoints and views."""
    ensemble = Ensemble(members, split_list(options.tta))

    def prepare(encoded: tf.Tensor) -> dict[str, tf.Tensor]:
        return ensemble.views(lambda member: member.decode(encoded))

    signature = {
        str(i): tf.TensorSpec([None, None, *member.network.input_shape])
        for i, member in enumerate(members)
    }
    classify = tf.function(
        lambda views: tf.exp(ensemble.log_probabilities(views)),
        input_signature=[signature],
        autograph=False,
    )

    def infer(arrays: Arrays) -> Arrays:
        probabilities = classify(arrays).numpy()
        if not np.isfinite(probabilities).all():
            raise NotFiniteError(
                "the net's outputs are not finite, so some of the checkpoint's weights"
                " are not either; use an earlier checkpoint"
            )
        return {"probabilities": probabilities}

    return PhotoBatches.traced(prepare, infer, options)


def _feature_rows(
    photos: PredictionPhotos, batches: PhotoBatches
) -> Iterator[tuple[str, Arrays]]:
    """The photos that are fit, with their features."""
    for photo, features in photos.walk(batches):
        if not isinstance(features, UnfitPhotoError):
            yield photo, features


def _write_features(
    rows: Iterator[tuple[str, Arrays]],
    photos: PredictionPhotos,
    options: PredictOptions,
) -> None:
    with explained_errors():
        num_photos = feature_file.write(
            options.output_file or "", rows, labels=photos.folders
        )
    photos.require_some()
    logging.info("wrote %s: features of %d photos", options.output_file, num_photos)
