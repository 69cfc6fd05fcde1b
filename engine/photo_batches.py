"""Photos in batches through a function, those that cannot be read set aside."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from config.progress import progress
from datasets import photo_reader
from datasets.in_order import in_order
from datasets.photo_codec import UnfitPhotoError
from errors import UserError

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass
class PhotoBatches:
    """Runs a function on photos, as often as wanted.

    Attributes:
      prepare: from a photo's bytes, scalar string, to tensors by name.
      infer: from such tensors, stacked to `[batch, …]`, to arrays `[batch, …]`.
      batch_size: photos at once.
      num_threads: photos prepared at once.
      faults: lines that name the photos that could not be read, in order.
    """

    prepare: Callable[[tf.Tensor], dict[str, tf.Tensor]]
    infer: Callable[[Arrays], Arrays]
    batch_size: int
    num_threads: int
    faults: list[str] = dataclasses.field(default_factory=list)

    def run(self, photos: Sequence[str]) -> Iterator[tuple[str, Arrays]]:
        """Walks through photos.

        Args:
          photos: their paths.

        Yields:
          Each photo that can be read, with what `infer` says of it.

        Raises:
          UserError: a batch is too large for the memory.
        """
        with ThreadPoolExecutor(self.num_threads) as executor:
            window = self.batch_size + 2 * self.num_threads
            results = progress(
                in_order(executor, self._read, photos, window),
                total=len(photos),
                desc="predicting",
                unit="photo",
            )
            read = self._without_faults(results)
            while batch := list(itertools.islice(read, self.batch_size)):
                names = [name for name, _ in batch]
                stacked = {
                    key: np.stack([arrays[key] for _, arrays in batch])
                    for key in batch[0][1]
                }
                outputs = self._infer(stacked)
                for i, name in enumerate(names):
                    yield name, {key: array[i] for key, array in outputs.items()}

    def _read(self, path: str) -> tuple[str, Arrays | str]:
        """The photo with its tensors, or with what is wrong with it."""
        try:
            photo = photo_reader.read(path)
        except UnfitPhotoError as error:
            return path, f"{path}: {error}"
        with tf.device("CPU"):
            tensors = self.prepare(tf.constant(photo.encoded))
        return path, {key: tensor.numpy() for key, tensor in tensors.items()}

    def _without_faults(
        self, results: Iterator[tuple[str, Arrays | str]]
    ) -> Iterator[tuple[str, Arrays]]:
        for path, result in results:
            if isinstance(result, str):
                self.faults.append(result)
            else:
                yield path, result

    def _infer(self, arrays: Arrays) -> Arrays:
        try:
            return self.infer(arrays)
        except tf.errors.ResourceExhaustedError as error:
            raise UserError(
                f"out of memory with --batch_size={self.batch_size}: lower it"
            ) from error
