"""The image of a record, of which only the requested part is decoded."""

from collections.abc import Sequence

import tensorflow as tf

from datasets import example_schema
from datasets.photos import photo_codec

# JPEG can be decoded at these fractions of its size, which skips most of the work.
_RATIOS = (1, 2, 4, 8)
# Color is stored at half the resolution and smoothed in decoding: around a window its
# neighbors are decoded too, or its edges would not be those of the whole image.
_MARGIN = 2


class EncodedPhoto:
    """The image of a parsed record; of a JPEG only the requested part and resolution.

    Attributes:
      shape: [3] int32, height, width and channels; of a JPEG from its header.
    """

    def __init__(self, features: dict[str, tf.Tensor], num_channels: int) -> None:
        """Reads the header; decodes images that are not JPEG, unless absurdly large.

        Args:
          features: the result of `example_schema.parse_example`.
          num_channels: 1 or 3.
        """
        self._encoded = features[example_schema.ENCODED]
        self._num_channels = num_channels
        self._is_jpeg = example_schema.is_jpeg(features)
        self._decoded = tf.cond(
            self._is_jpeg,
            lambda: tf.zeros([0, 0, num_channels], tf.uint8),
            lambda: example_schema.decode_image(
                example_schema.check_size(features, known_no_jpeg=True), num_channels
            ),
        )
        size = tf.cond(
            self._is_jpeg,
            self._jpeg_size,
            lambda: tf.shape(self._decoded)[:2],
        )
        self.shape = tf.concat([size, [num_channels]], axis=0)

    def _jpeg_size(self) -> tf.Tensor:
        """Height and width by the header; decoding asks for them first."""
        size = tf.image.extract_jpeg_shape(self._encoded)[:2]
        pixels = tf.reduce_prod(tf.cast(size, tf.int64))
        limit = photo_codec.max_pixels(is_jpeg=True)
        check = example_schema.require_few_pixels(pixels, limit)
        with tf.control_dependencies([check]):
            return tf.identity(size)

    def pixels(self, least_size: Sequence[int | tf.Tensor] | None = None) -> tf.Tensor:
        """Decodes all of it.

        Args:
          least_size: height and width that suffice: a JPEG is decoded at 1/2, 1/4 or
            1/8 of its size if that is no smaller. None asks for the full size.

        Returns:
          [height, width, num_channels] uint8.
        """
        return self.window(tf.zeros([2], tf.int32), self.shape[:2], least_size)

    def window(
        self,
        begin: tf.Tensor,
        size: tf.Tensor,
        least_size: Sequence[int | tf.Tensor] | None = None,
    ) -> tf.Tensor:
        """Decodes a part of it; at full size, with the same pixels as the whole.

        Args:
          begin: [2] int32, first row and column.
          size: [2] int32, rows and columns.
          least_size: see `pixels`.

        Returns:
          [rows, columns, num_channels] uint8.
        """

        def of_decoded() -> tf.Tensor:
            last = begin + size
            return self._decoded[begin[0] : last[0], begin[1] : last[1]]

        def of_jpeg() -> tf.Tensor:
            if least_size is None:
                return self._jpeg_window(begin, size, 1)
            least = tf.stack(least_size)
            fits = [tf.reduce_all(size >= ratio * least) for ratio in _RATIOS[1:]]
            return tf.switch_case(
                tf.math.count_nonzero(fits, dtype=tf.int32),
                [
                    lambda ratio=ratio: self._jpeg_window(begin, size, ratio)
                    for ratio in _RATIOS
                ],
            )

        window = tf.cond(self._is_jpeg, of_jpeg, of_decoded)
        return tf.ensure_shape(window, [None, None, self._num_channels])

    def _jpeg_window(self, begin: tf.Tensor, size: tf.Tensor, ratio: int) -> tf.Tensor:
        """A window at 1/ratio of the size, rounded outwards."""
        whole = -(-self.shape[:2] // ratio)
        first, last = begin // ratio, -(-(begin + size) // ratio)
        from_, to = tf.maximum(first - _MARGIN, 0), tf.minimum(last + _MARGIN, whole)
        decoded = tf.io.decode_and_crop_jpeg(
            self._encoded,
            tf.concat([from_, to - from_], axis=0),
            channels=self._num_channels,
            ratio=ratio,
        )
        inner, end = first - from_, last - from_
        return decoded[inner[0] : end[0], inner[1] : end[1]]
