"""Prediction from start to end: checkpoints, photos, classes or features, a file."""

import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from config.config import PredictConfig, PredictOptions, split_list
from config.untrusted_text import printable
from datasets import photo_files
from datasets.files import atomic_write, explained_errors
from engine import classifier as classifiers
from engine import devices, photo_views, predictions
from engine.classifier import Classifier
from engine.photo_batches import Arrays, PhotoBatches
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
    photos = find_photos(where)
    _require_folder(options.output_file)
    devices.make_strategy(1)
    members = [
        classifiers.load(
            path,
            config.net,
            use_moving_average=bool(options.moving_average_decay),
        )
        for path in split_list(options.checkpoint_path)
    ]
    if options.output == "features":
        faults = _write_features(members[0], photos, options)
    else:
        faults = _write_classes(members, photos, options)
    for line in faults:
        print(f"error: {printable(line)}", file=sys.stderr)
    return _SOME_UNREADABLE if faults else 0


def find_photos(where: Sequence[str]) -> list[str]:
    """The photos that a user means, each once, in the order given.

    Raises:
      UserError: a folder or pattern has none, or nothing is named.
    """
    if not where:
        raise UserError("no PHOTO: name files, folders or patterns after the flags")
    photos: dict[str, None] = {}
    for one in where:
        found = photo_files.find(one)
        if not found:
            raise UserError(f"{one}: no photo there; name another folder or pattern")
        photos.update(dict.fromkeys(found))
    return list(photos)


def _require_folder(output_file: str | None) -> None:
    folder = os.path.dirname(output_file or "") or "."
    if not os.path.isdir(folder):
        raise UserError(
            f"--output_file={output_file}: there is no folder {folder}; make it first"
        )


def _write_classes(
    members: Sequence[Classifier], photos: Sequence[str], options: PredictOptions
) -> list[str]:
    """Writes the likeliest classes; returns a line for each photo that is unfit."""
    require_same_classes(members, split_list(options.checkpoint_path))
    batches = _classifying(members, options)
    found = [
        predictions.likeliest(
            photo,
            answer["probabilities"],
            members[0].labels,
            top_k=options.top_k,
            labels_offset=members[0].record.labels_offset,
        )
        for photo, answer in batches.run(photos)
    ]
    _require_some(found, batches.faults)
    text = predictions.FORMATS[options.format](found)
    # A name from a file system in another encoding may be no valid Unicode.
    content = text.encode("utf-8", "backslashreplace")
    if options.output_file:
        with explained_errors(), atomic_write(options.output_file) as file:
            file.write(content)
    else:
        print(content.decode(), end="", flush=True)
    return batches.faults


def require_same_classes(members: Sequence[Classifier], paths: Sequence[str]) -> None:
    """Refuses checkpoints whose probabilities are of different classes.

    Raises:
      UserError: they are.
    """
    first = members[0].labels
    for member, path in zip(members, paths, strict=True):
        if member.labels != first:
            raise UserError(
                f"{path} has the classes {_short(member.labels)} and {paths[0]}"
                f" {_short(first)}: only checkpoints of the same classes, in the same"
                " order, can be averaged"
            )


def _short(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown}, … ({len(names)})"


def _classifying(
    members: Sequence[Classifier], options: PredictOptions
) -> PhotoBatches:
    """Photos to their probabilities, averaged over checkpoints and views."""
    tta = split_list(options.tta)

    def prepare(encoded: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            str(i): photo_views.views(member, member.decode(encoded), tta)
            for i, member in enumerate(members)
        }

    classify = [
        tf.function(
            member.probabilities,
            input_signature=[tf.TensorSpec([None, *member.network.input_shape])],
        )
        for member in members
    ]

    def infer(arrays: Arrays) -> Arrays:
        answers = []
        for i, images in enumerate(arrays.values()):
            num_photos, num_views = images.shape[:2]
            flat = images.reshape(-1, *images.shape[2:])
            answer = classify[i](flat).numpy()
            answers.append(answer.reshape(num_photos, num_views, -1).mean(1))
        probabilities = np.mean(answers, 0)
        if not np.isfinite(probabilities).all():
            raise NotFiniteError(
                "the net's outputs are not finite, so the checkpoint's weights are"
                " spoilt; take an earlier one"
            )
        return {"probabilities": probabilities}

    signature = [tf.TensorSpec([], tf.string)]
    return PhotoBatches(
        tf.function(prepare, input_signature=signature),
        infer,
        options.batch_size,
        options.num_preprocessing_threads,
    )


def _write_features(
    member: Classifier, photos: Sequence[str], options: PredictOptions
) -> list[str]:
    """Writes end points; returns a line for each photo that is unfit."""
    wanted = split_list(options.end_point)

    def extract(images: tf.Tensor) -> dict[str, tf.Tensor]:
        _, end_points = member.network(images, is_training=False)
        for name in wanted or ("",):
            if name not in end_points:
                raise UserError(
                    f"--end_point={name}: no such end point{nearest(name, end_points)};"
                    f" {member.record.model_name} has {', '.join(end_points)}"
                )
        return {name: end_points[name] for name in wanted}

    spec = tf.TensorSpec([None, *member.network.input_shape])
    function = tf.function(extract, input_signature=[spec], autograph=False)
    function.get_concrete_function()  # A wrong name is told before the work.

    def prepare(encoded: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"images": member.preprocess(member.decode(encoded))}

    batches = PhotoBatches(
        tf.function(prepare, input_signature=[tf.TensorSpec([], tf.string)]),
        lambda arrays: {k: v.numpy() for k, v in function(arrays["images"]).items()},
        options.batch_size,
        options.num_preprocessing_threads,
    )
    found = list(batches.run(photos))
    _require_some(found, batches.faults)
    columns: dict[str, Any] = {"names": [photo for photo, _ in found]}
    columns |= {name: [features[name] for _, features in found] for name in wanted}
    with explained_errors(), atomic_write(options.output_file or "") as file:
        np.savez(file, **columns)
    return batches.faults


def _require_some(found: Sequence[object], faults: Sequence[str]) -> None:
    if not found:
        others = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise UserError(f"no photo can be read: {faults[0]}{others}")
