"""The bytes of a string inside a graph, to read as numbers and to replace."""

import tensorflow as tf

_PADDING = 16  # bytes that may be read beyond the end, as zeros


class GraphBytes:
    """A string's bytes as numbers, with zeros beyond its end.

    Attributes:
      text: the string, a scalar.
      size: its number of bytes, scalar int32.
    """

    def __init__(self, text: tf.Tensor) -> None:
        self.text = text
        self.size = tf.strings.length(text)
        self._raw = tf.io.decode_raw(text + b"\0" * _PADDING, tf.uint8)

    def numbers(self, at: tf.Tensor | int, number: int) -> tf.Tensor:
        """Consecutive bytes, [number] int32; `number` is at most 16."""
        start = tf.clip_by_value(at, 0, self.size)
        found = tf.cast(self._raw[start : start + number], tf.int32)
        return tf.ensure_shape(found, [number])

    def number(
        self, at: tf.Tensor | int, num_bytes: int, *, little: tf.Tensor | bool = False
    ) -> tf.Tensor:
        """An unsigned number, scalar int32, clipped to the largest int32.

        Args:
          at: its offset.
          num_bytes: its size, at most 4.
          little: whether it is little-endian.
        """
        start = tf.clip_by_value(at, 0, self.size)
        digits = tf.cast(self._raw[start : start + num_bytes], tf.int64)
        digits = tf.where(little, digits[::-1], digits)
        powers = tf.constant([256**n for n in reversed(range(num_bytes))], tf.int64)
        value = tf.reduce_sum(digits * powers)
        return tf.cast(tf.minimum(value, tf.int32.max), tf.int32)

    def rows(self, at: tf.Tensor, number: tf.Tensor, width: int) -> tf.Tensor:
        """Bytes as a table, [rows, width] int32, without incomplete rows."""
        start = tf.clip_by_value(at, 0, self.size)
        number = tf.minimum(number, (self.size - start) // width)
        flat = self._raw[start : start + number * width]
        return tf.cast(tf.reshape(flat, [-1, width]), tf.int32)

    def starts_with(self, at: tf.Tensor | int, expected: bytes) -> tf.Tensor:
        """Whether these bytes are at an offset, a scalar bool."""
        start = tf.clip_by_value(at, 0, self.size)
        return tf.equal(tf.strings.substr(self.text, start, len(expected)), expected)


def replaced(text: tf.Tensor, at: tf.Tensor, new: bytes) -> tf.Tensor:
    """A string with the bytes from an offset on replaced, of the same length."""
    rest = tf.strings.substr(text, at + len(new), tf.int32.max)
    return tf.strings.join([tf.strings.substr(text, 0, at), new, rest])
