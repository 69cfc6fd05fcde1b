"""Prediction from start to end: checkpoints, photos, classes or features, a file."""

import dataclasses
import os
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from common import tables
from common.atomic_files import atomic_write, explained_errors
from config.options import split_list
from config.predict_config import PredictConfig, PredictOptions
from datasets.photos.unfit_photos import UnfitPhotoError
from engine import devices
from engine.prediction import ensemble as ensembles
from engine.prediction import feature_file, prediction_photos, predictions
from engine.prediction.ensemble import Ensemble
from engine.prediction.photo_batches import Arrays, PhotoBatches
from engine.prediction.prediction_photos import PredictionPhotos
from engine.prediction.predictions import Prediction
from engine.restored import classifier as classifiers
from engine.restored.classifier import Classifier
from errors import NotFiniteError, UserError, nearest

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
        not finite (`NotFiniteError`).
    """
    options = config.predict
    photos = prediction_photos.find(where)
    _require_folder(options.output_file)
    devices.make_strategy(1)
    members = [
        classifiers.load(
            path,
            config.net,
            use_moving_average=bool(options.moving_average_decay),
            needs_head=options.output == "classes",
        )
        for path in split_list(options.checkpoint_path)
    ]
    options = dataclasses.replace(options, bits=options.bits or _bits(members))
    if options.output == "features":
        _write_features(members[0], photos, options)
    else:
        _write_classes(members, photos, options)
    photos.report()
    return _SOME_UNREADABLE if photos.faults else 0


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
    if not os.path.isdir(folder):
        raise UserError(
            f"--output_file={output_file}: there is no folder {folder}; create it first"
        )


def _write_classes(
    members: Sequence[Classifier], photos: PredictionPhotos, options: PredictOptions
) -> None:
    """Writes the likeliest classes of photos, and what is wrong with the unfit ones."""
    ensembles.require_same_classes(members, split_list(options.checkpoint_path))
    found = []
    for photo, answer in photos.walk(classifying(members, options)):
        if isinstance(answer, UnfitPhotoError):
            found.append(Prediction(photo, (), str(answer)))
            continue
        found.append(
            predictions.likeliest(
                photo,
                answer["probabilities"],
                members[0].labels,
                top_k=options.top_k or predictions.DEFAULT_TOP_K,
                labels_offset=members[0].info.labels_offset,
            )
        )
    photos.require_some()
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

    return PhotoBatches(
        tf.function(prepare, input_signature=[tf.TensorSpec([], tf.string)]),
        infer,
        options.batch_size,
        options.num_preprocessing_threads,
        options.bits,
    )


def _write_features(
    member: Classifier, photos: PredictionPhotos, options: PredictOptions
) -> None:
    """Writes end points of the photos that can be read."""
    end_points_of = _extractor(member, options)

    def prepare(encoded: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"images": member.preprocess(member.decode(encoded))}

    def infer(arrays: Arrays) -> Arrays:
        found = end_points_of(arrays["images"])
        return {name: features.numpy() for name, features in found.items()}

    batches = PhotoBatches(
        tf.function(prepare, input_signature=[tf.TensorSpec([], tf.string)]),
        infer,
        options.batch_size,
        options.num_preprocessing_threads,
        options.bits,
    )
    rows = (
        (photo, features)
        for photo, features in photos.walk(batches)
        if not isinstance(features, UnfitPhotoError)
    )
    with explained_errors():
        num_photos = feature_file.write(
            options.output_file or "", rows, labels=photos.folders
        )
    photos.require_some()
    logging.info("wrote %s: features of %d photos", options.output_file, num_photos)


def _extractor(
    member: Classifier, options: PredictOptions
) -> Callable[[np.ndarray], dict[str, tf.Tensor]]:
    """From images to the end points that the options name, pooled if they say so.

    Raises:
      UserError: an end point does not exist, or the checkpoint does not hold all
        weights that it depends on (`NotFiniteError`).
    """
    wanted = split_list(options.end_point)

    def extract(images: tf.Tensor) -> dict[str, tf.Tensor]:
        _, end_points = member.network(images, is_training=False)
        for name in wanted or ("",):
            if name not in end_points:
                raise UserError(
                    f"--end_point={name}: no such end point{nearest(name, end_points)};"
                    f" {member.info.model_name} has {', '.join(end_points)}"
                )
        found = {name: end_points[name] for name in wanted}
        return {n: _pooled(f) for n, f in found.items()} if options.pool else found

    spec = tf.TensorSpec([None, *member.network.input_shape])
    function = tf.function(extract, input_signature=[spec], autograph=False)
    # Called once before any photo is read, to find out what cannot be computed.
    blank = function(tf.zeros([1, *member.network.input_shape]))
    not_finite = [n for n, f in blank.items() if not np.isfinite(f.numpy()).all()]
    if not_finite:
        raise NotFiniteError(
            f"--end_point={','.join(not_finite)} depends on a head that the checkpoint"
            " does not hold, on an auxiliary head, which is not restored, or on weights"
            " that are not finite: name an earlier end point"
        )
    return function


def _pooled(features: tf.Tensor) -> tf.Tensor:
    """`[batch, channels]`: the mean over height and width, if the tensor has them."""
    return tf.reduce_mean(features, [1, 2]) if features.shape.rank == 4 else features
