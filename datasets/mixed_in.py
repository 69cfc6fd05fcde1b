"""A second split that is mixed into the batches of training."""

import dataclasses

import tensorflow as tf

from datasets.dataset import Dataset


@dataclasses.dataclass(frozen=True)
class MixedIn:
    """A split of which every batch holds a share, from one of the batches on.

    Attributes:
      dataset: the split.
      number: how many of `of` consecutive examples in a batch come from it: the last.
      of: the batch size of one clone, which divides that of all.
      first_batch: the batch, counted from 0, that it is first mixed into.
    """

    dataset: Dataset
    number: int
    of: int
    first_batch: int

    def of_batch(self, batch: int) -> "MixedIn | None":
        """The same from the first batch on, if it is mixed into this one, from 0."""
        if batch < self.first_batch:
            return None
        return dataclasses.replace(self, first_batch=0)

    def examples_before(self, batch: int, batch_size: int) -> tuple[int, int]:
        """How many examples of the training split, and of this, come before a batch.

        Args:
          batch: its number, from 0.
          batch_size: examples in a batch.
        """
        mixed_batches = max(0, batch - self.first_batch)
        mixed = mixed_batches * (batch_size // self.of) * self.number
        return batch * batch_size - mixed, mixed

    def sources(self, start_batch: int, batch_size: int) -> tf.data.Dataset:
        """Where each example comes from: 0, the training split, or 1, this; int64.

        Args:
          start_batch: the first batch, from 0; there is no last one.
          batch_size: examples in a batch.
        """
        part = [0] * (self.of - self.number) + [1] * self.number
        mixed = tf.constant(part * (batch_size // self.of), tf.int64)

        def of_batch(batch: tf.Tensor) -> tf.data.Dataset:
            is_mixed = tf.cast(batch >= self.first_batch, tf.int64)
            return tf.data.Dataset.from_tensor_slices(mixed * is_mixed)

        return tf.data.Dataset.range(start_batch, tf.int64.max).flat_map(of_batch)
