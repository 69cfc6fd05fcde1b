"""The check of an export: loaded again, and compared with the checkpoint on images."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from convert.exports import export_photos, formats, served_photo
from convert.exports.formats import Format, Job
from datasets.photos import photo_codec
from engine.restored.classifier import Classifier
from errors import NotFiniteError, UserError


class CheckError(UserError):
    """An export does not compute what the checkpoint does."""

    exit_status = 1


def as_predicted(photo: bytes, bits: int | None = None) -> bytes:
    """A photo's file as prediction has TensorFlow decode it.

    Args:
      photo: the file's bytes.
      bits: see `deep_photo.reduce`.

    Raises:
      UnfitPhotoError: it cannot be read.
    """
    return photo_codec.normalize(photo, bits=bits).encoded


def as_served(photo: bytes, bits: int | None) -> bytes:
    """A photo's file itself if serving accepts it, or as prediction has it decoded.

    The latter also for CMYK, whose product of inks TensorFlow and Pillow round
    differently.
    """
    try:
        tf.io.decode_image(served_photo.normalize(tf.constant(photo), bits))
    except tf.errors.InvalidArgumentError:
        return as_predicted(photo, bits)
    is_cmyk = tf.io.is_jpeg(photo) and tf.image.extract_jpeg_shape(photo)[2] == 4
    return as_predicted(photo, bits) if is_cmyk else photo


class Check:
    """The checkpoint's results on some photos, to compare exports with."""

    def __init__(
        self,
        classifier: Classifier,
        photos: list[bytes],
        max_difference: float = 1e-4,
    ) -> None:
        """Classifies the photos.

        Args:
          classifier: the checkpoint's.
          photos: the bytes of their files.
          max_difference: largest difference of a probability for formats that do not
            round.

        Raises:
          NotFiniteError: the net's outputs are not finite.
        """
        self._classifier = classifier
        self._bits = classifier.info.bits
        self._max_difference = max_difference
        self._photos = photos
        self._pixels = [self._decode(photo) for photo in photos]
        self._images = np.stack([classifier.preprocess(p) for p in self._pixels])
        self._expected = classifier.probabilities(tf.constant(self._images)).numpy()
        if not np.isfinite(self._expected).all():
            raise NotFiniteError(
                "the net's outputs are not finite, so the checkpoint's weights are"
                " damaged: export an earlier one"
            )

    def _decode(self, photo: bytes) -> tf.Tensor:
        return self._classifier.decode(tf.constant(as_predicted(photo, self._bits)))

    def compare(self, kind: Format, path: str) -> str:
        """Loads an export and compares its probabilities.

        Args:
          kind: its format.
          path: its path.

        Returns:
          The result, as text.

        Raises:
          CheckError: it does not compute what the checkpoint does.
        """
        forms = ""
        if kind.run is None:
            signatures = tf.saved_model.load(path).signatures
            answers = self._saved_model_answers(signatures)
            forms = self._check_forms(kind, signatures["serving_default"])
        else:
            answers = [kind.run(path, self._images)]
        worst = np.max([self._difference(answer) for answer in answers])  # NaN wins
        limit = max(kind.limit or 0, self._max_difference)
        self._require(worst, limit, f"{kind.file} differs from the checkpoint")
        same = np.mean(answers[0].argmax(-1) == self._expected.argmax(-1))
        found = (
            f"largest difference of a probability {worst:.2g}, same top class for"
            f" {same:.1%} of {len(self._photos)} images{forms}"
        )
        if kind.has_float16_weights:
            rounding = self._check_rounding(kind, answers[0], f"{path}.twin")
            found += f"; from the checkpoint with rounded weights {rounding:.2g}"
        return found

    def _check_rounding(self, kind: Format, answer: np.ndarray, twin: str) -> float:
        """Checks that rounding the weights explains the difference.

        The twin is the float32 model, which must match the checkpoint, with its weights
        rounded after conversion, as conversion folds batch norms into them.

        Returns:
          The largest difference from the twin.
        """
        formats.write_tflite(Job(self._classifier), twin)
        before = self._difference(formats.run_tflite(twin, self._images))
        name = f"{kind.file}, before its weights are rounded, differs"
        self._require(before, self._max_difference, f"{name} from the checkpoint")
        formats.round_to_float16(twin)
        rounded = formats.run_tflite(twin, self._images)
        found = float(np.max(np.abs(answer - rounded)))
        name = f"{kind.file} differs from the checkpoint with rounded weights"
        self._require(found, self._max_difference, name)
        return found

    @staticmethod
    def _require(difference: float, limit: float, what_differs: str) -> None:
        if not difference <= limit:
            raise CheckError(
                f"{what_differs} by {difference:.2g} in a probability, expected at most"
                f" {limit}, and was removed; to accept it, raise --max_difference"
            )

    def _difference(self, answer: np.ndarray) -> float:
        if answer.shape != self._expected.shape:
            return float("nan")
        return float(np.max(np.abs(answer - self._expected)))

    def _saved_model_answers(self, signatures: Mapping[str, Any]) -> list[np.ndarray]:
        files = [as_served(photo, self._bits) for photo in self._photos]
        encoded = signatures["serving_default"](image_bytes=tf.constant(files))
        pixels = [
            signatures["pixels"](pixels=tf.cast(one[tf.newaxis], tf.float32))
            for one in self._pixels
        ]
        return [
            encoded["probabilities"].numpy(),
            np.concatenate([answer["probabilities"] for answer in pixels]),
        ]

    def _check_forms(self, kind: Format, serve: Callable[..., Any]) -> str:
        """Serves the kinds of files that people send, such as transparent ones.

        Returns:
          The result, as text.
        """
        images = [one.numpy() for one in self._pixels]
        files = export_photos.in_every_form(images, self._bits)
        images = [self._classifier.preprocess(self._decode(f)) for f in files.values()]
        expected = self._classifier.probabilities(tf.stack(images)).numpy()
        served = serve(image_bytes=tf.constant(list(files.values())))["probabilities"]
        differences = np.max(np.abs(served.numpy() - expected), axis=-1)
        for name, difference in zip(files, differences, strict=True):
            what = f"{kind.file}, given {name}, differs from prediction"
            self._require(difference, self._max_difference, what)
        return (
            f"; {np.max(differences):.2g} from prediction on {len(files)} kinds of"
            " files (rotated by EXIF, transparent, CMYK, …)"
        )
