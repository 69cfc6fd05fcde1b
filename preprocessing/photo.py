"""The source of a recipe's pixels: an image, decoded or yet to be decoded.

A recipe states which part of the photo it needs, so that only that is decoded.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import tensorflow as tf

# Pixels along height and width, scalars.
Size = Sequence[int | tf.Tensor]


@runtime_checkable
class Photo(Protocol):
    """A photo whose pixels may not be decoded yet.

    Attributes:
      shape: [3] int32, height, width and channels.
    """

    shape: tf.Tensor

    def pixels(self, least_size: Size | None = None) -> tf.Tensor:
        """Decodes all of it.

        Args:
          least_size: height and width that suffice: the result may be smaller than the
            photo, but not than this. None asks for the full size.

        Returns:
          [height, width, channels] uint8.
        """

    def window(
        self, begin: tf.Tensor, size: tf.Tensor, least_size: Size | None = None
    ) -> tf.Tensor:
        """Decodes a part of it.

        Args:
          begin: [2] int32, first row and column.
          size: [2] int32, rows and columns.
          least_size: see `pixels`.

        Returns:
          [rows, columns, channels] uint8.
        """


class DecodedPhoto:
    """A decoded image as a `Photo`; it is never downscaled."""

    def __init__(self, image: tf.Tensor) -> None:
        """Takes an image [height, width, 1 or 3] uint8."""
        self._image = tf.convert_to_tensor(image)
        self.shape = tf.shape(self._image)

    def pixels(self, least_size: Size | None = None) -> tf.Tensor:
        """See `Photo`."""
        del least_size
        return self._image

    def window(
        self, begin: tf.Tensor, size: tf.Tensor, least_size: Size | None = None
    ) -> tf.Tensor:
        """See `Photo`."""
        del least_size
        channels = self._image.shape[-1]
        window = tf.slice(self._image, [*tf.unstack(begin), 0], [*tf.unstack(size), -1])
        return tf.ensure_shape(window, [None, None, channels])


def as_photo(image: tf.Tensor | Photo) -> Photo:
    """An image, [height, width, 1 or 3] uint8, as a `Photo`, unless it is one."""
    return image if isinstance(image, Photo) else DecodedPhoto(image)
