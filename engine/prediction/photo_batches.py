"""Runs a function on photos in batches; photos that cannot be read are reported."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from common.in_order import in_order
from common.progress import progress
from config.predict_config import PredictOptions
from datasets.photos import photo_codec
from datasets.photos.unfit_photos import UnfitPhotoError
from errors import UserError

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class PhotoBatches:
    """Runs a function on photos, any number of times.

    Attributes:
      prepare: from a photo's bytes, a scalar string, to tensors by name.
      infer: from these tensors, stacked to `[batch, …]`, to arrays `[batch, …]`.
      batch_size: photos per batch.
      num_threads: number of photos prepared in parallel.
      bits: see `deep_photo.reduce`.
    """

    prepare: Callable[[tf.Tensor], dict[str, tf.Tensor]]
    infer: Callable[[Arrays], Arrays]
    batch_size: int
    num_threads: int
    bits: int | None = None

    @classmethod
    def traced(
        cls,
        prepare: Callable[[tf.Tensor], dict[str, tf.Tensor]],
        infer: Callable[[Arrays], Arrays],
        options: PredictOptions,
    ) -> "PhotoBatches":
        """Batches as the options say, with `prepare` traced once for all photos."""
        return cls(
            tf.function(prepare, input_signature=[tf.TensorSpec([], tf.string)]),
            infer,
            options.batch_size,
            options.num_preprocessing_threads,
            options.bits,
        )

    def run(
        self, photos: Sequence[str]
    ) -> Iterator[tuple[str, Arrays | UnfitPhotoError]]:
        """Runs the function on photos.

        Args:
          photos: their paths.

        Yields:
          Each photo, in order, with the result of `infer`, or the reason why it cannot
          be read.

        Raises:
          UserError: a batch does not fit into memory.
        """
        with ThreadPoolExecutor(self.num_threads) as executor:
            window = self.batch_size + 2 * self.num_threads
            results = progress(
                in_order(executor, self._read, photos, window),
                total=len(photos),
                desc="predicting",
                unit="photo",
            )
            waiting: list[tuple[str, Arrays | UnfitPhotoError]] = []
            num_fit = 0
            for result in results:
                waiting.append(result)
                num_fit += not isinstance(result[1], UnfitPhotoError)
                if num_fit == self.batch_size or not num_fit:
                    yield from self._answer(waiting)
                    waiting, num_fit = [], 0
            yield from self._answer(waiting)

    def _read(self, path: str) -> tuple[str, Arrays | UnfitPhotoError]:
        """The photo with its tensors, or with the reason why it cannot be read."""
        try:
            photo = photo_codec.read(path, self.bits)
        except UnfitPhotoError as error:
            return path, error
        with tf.device("CPU"):
            tensors = self.prepare(tf.constant(photo.encoded))
        return path, {key: tensor.numpy() for key, tensor in tensors.items()}

    def _answer(
        self, photos: Sequence[tuple[str, Arrays | UnfitPhotoError]]
    ) -> Iterator[tuple[str, Arrays | UnfitPhotoError]]:
        """The photos with the results of `infer` for those that could be read."""
        fit = [one for _, one in photos if not isinstance(one, UnfitPhotoError)]
        outputs: Arrays = {}
        if fit:
            outputs = self._infer(
                {key: np.stack([a[key] for a in fit]) for key in fit[0]}
            )
        places = itertools.count()
        for path, one in photos:
            if isinstance(one, UnfitPhotoError):
                yield path, one
            else:
                place = next(places)
                yield path, {key: array[place] for key, array in outputs.items()}

    def _infer(self, arrays: Arrays) -> Arrays:
        try:
            return self.infer(arrays)
        except tf.errors.ResourceExhaustedError as error:
            raise UserError(
                f"out of memory with --batch_size={self.batch_size}: lower it"
            ) from error
