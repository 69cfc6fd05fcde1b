"""Exports are loaded again and compared with the checkpoint on images."""

import numpy as np
import tensorflow as tf

from convert import export_formats
from convert.export_formats import Format, Job
from datasets import photo_files, photo_reader
from datasets.unfit_photos import UnfitPhotoError
from engine.classifier import Classifier
from errors import NotFiniteError, UserError

_NUM_GENERATED = 8


class CheckError(UserError):
    """An export is not what the checkpoint is."""

    exit_status = 1


def find_photos(where: str, flag: str) -> list[str]:
    """Photographs by a file, a folder with all below it, or a pattern; sorted.

    Raises:
      UserError: there is none.
    """
    found = photo_files.find(where).paths
    if not found:
        raise UserError(
            f"--{flag}={where}: no photograph there; name a file, a folder or a pattern"
        )
    return found


def read_photo(path: str) -> bytes:
    """A photograph in bytes that TensorFlow decodes, as the SavedModel does.

    Raises:
      UserError: it cannot be read.
    """
    try:
        return photo_reader.read(path).encoded
    except UnfitPhotoError as error:
        raise UserError(f"{path}: {error}; remove it") from error


def generated_photos() -> list[bytes]:
    """PNG images of smooth random colours, always the same ones."""
    photos = []
    for seed in range(_NUM_GENERATED):
        coarse = tf.random.stateless_uniform([4, 5, 3], (seed, 0), 0, 255)
        fine = tf.image.resize(coarse, [96 + 16 * seed, 144], "bicubic")
        photos.append(tf.io.encode_png(tf.saturate_cast(fine, tf.uint8)).numpy())
    return photos


class Check:
    """What the checkpoint says of some photographs."""

    def __init__(
        self,
        classifier: Classifier,
        photos: list[bytes],
        max_difference: float = 1e-4,
    ) -> None:
        """Classifies the photographs.

        Args:
          classifier: the checkpoint's.
          photos: their bytes, which TensorFlow must decode.
          max_difference: of a probability, that is allowed of formats that do not
            round.

        Raises:
          NotFiniteError: the net's outputs are not.
        """
        self._classifier = classifier
        self._max_difference = max_difference
        self._photos = photos
        self._pixels = [classifier.decode(tf.constant(photo)) for photo in photos]
        self._images = np.stack([classifier.preprocess(p) for p in self._pixels])
        self._expected = classifier.probabilities(tf.constant(self._images)).numpy()
        if not np.isfinite(self._expected).all():
            raise NotFiniteError(
                "the net's outputs are not finite, so the checkpoint's weights are"
                " spoilt; export an earlier one"
            )

    def compare(self, kind: Format, path: str) -> str:
        """Loads an export and compares its probabilities.

        Args:
          kind: its format.
          path: where it is.

        Returns:
          What was found, for people.

        Raises:
          CheckError: it is not the checkpoint.
        """
        if kind.run is None:
            answers = self._saved_model_answers(path)
        else:
            answers = [kind.run(path, self._images)]
        worst = np.max([self._difference(answer) for answer in answers])  # NaN wins
        limit = max(kind.limit or 0, self._max_difference)
        self._require(worst, limit, f"{kind.file} differs from the checkpoint")
        same = np.mean(answers[0].argmax(-1) == self._expected.argmax(-1))
        found = (
            f"largest difference of a probability {worst:.2g}, same first class for"
            f" {same:.1%} of {len(self._photos)} images"
        )
        if kind.has_float16_weights:
            rounding = self._check_rounding(kind, answers[0], f"{path}.twin")
            found += f"; from the checkpoint with rounded weights {rounding:.2g}"
        return found

    def _check_rounding(self, kind: Format, answer: np.ndarray, twin: str) -> float:
        """Shows that rounded weights alone make the difference.

        The twin is the float32 model, which must be the checkpoint, with its weights
        rounded. They cannot be rounded before: conversion folds batch norms into them.

        Returns:
          The largest difference from the twin.
        """
        export_formats.write_tflite(Job(self._classifier), twin)
        before = self._difference(export_formats.run_tflite(twin, self._images))
        name = f"{kind.file}, before its weights are rounded, differs"
        self._require(before, self._max_difference, f"{name} from the checkpoint")
        export_formats.round_to_float16(twin)
        rounded = export_formats.run_tflite(twin, self._images)
        found = float(np.max(np.abs(answer - rounded)))
        name = f"{kind.file} differs from the checkpoint with rounded weights"
        self._require(found, self._max_difference, name)
        return found

    @staticmethod
    def _require(difference: float, limit: float, what_differs: str) -> None:
        if not difference <= limit:
            raise CheckError(
                f"{what_differs} by {difference:.2g} in a probability, expected at most"
                f" {limit}, and was removed; if you accept that, raise --max_difference"
            )

    def _difference(self, answer: np.ndarray) -> float:
        if answer.shape != self._expected.shape:
            return float("nan")
        return float(np.max(np.abs(answer - self._expected)))

    def _saved_model_answers(self, path: str) -> list[np.ndarray]:
        signatures = tf.saved_model.load(path).signatures
        encoded = signatures["serving_default"](image_bytes=tf.constant(self._photos))
        pixels = [
            signatures["pixels"](pixels=tf.cast(one[tf.newaxis], tf.float32))
            for one in self._pixels
        ]
        return [
            encoded["probabilities"].numpy(),
            np.concatenate([answer["probabilities"] for answer in pixels]),
        ]
