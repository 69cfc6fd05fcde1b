"""The bytes of a string inside a graph, read as numbers and changed."""

import tensorflow as tf

_PADDING = 16  # bytes that may be read behind the end, as zeros


class GraphBytes:
    """A string's bytes as numbers; behind its end all are zeros.

    Attributes:
      text: the string, a scalar.
      size: how many bytes it has, scalar int32.
    """

    def __init__(self, text: tf.Tensor) -> None:
        self.text = text
        self.size = tf.strings.length(text)
        self._raw = tf.io.decode_raw(text + b"\0" * _PADDING, tf.uint8)

    def numbers(self, at: tf.Tensor | int, number: int) -> tf.Tensor:
        """Bytes in a row, [number] int32; `number` is at most 16."""
        start = tf.clip_by_value(at, 0, self.size)
        found = tf.cast(self._raw[start : start + number], tf.int32)
        return tf.ensure_shape(found, [number])

    def number(
        self, at: tf.Tensor | int, num_bytes: int, *, little: tf.Tensor | bool = False
    ) -> tf.Tensor:
        """An unsigned number, scalar int32; one that is larger becomes the largest.

        Args:
          at: where it starts; behind the end all is zero.
          num_bytes: how long it is, 4 at most.
          little: whether its lowest byte comes first.
        """
        start = tf.clip_by_value(at, 0, self.size)
        digits = tf.cast(self._raw[start : start + num_bytes], tf.int64)
        digits = tf.where(little, digits[::-1], digits)
        powers = tf.constant([256**n for n in reversed(range(num_bytes))], tf.int64)
        value = tf.reduce_sum(digits * powers)
        return tf.cast(tf.minimum(value, tf.int32.max), tf.int32)

    def rows(self, at: tf.Tensor, number: tf.Tensor, width: int) -> tf.Tensor:
        """Bytes as a table, [rows, width] int32: the rows that are there in full."""
        start = tf.clip_by_value(at, 0, self.size)
        number = tf.minimum(number, (self.size - start) // width)
        flat = self._raw[start : start + number * width]
        return tf.cast(tf.reshape(flat, [-1, width]), tf.int32)

    def starts_with(self, at: tf.Tensor | int, expected: bytes) -> tf.Tensor:
        """Whether these bytes stand there, a scalar bool."""
        start = tf.clip_by_value(at, 0, self.size)
        return tf.equal(tf.strings.substr(self.text, start, len(expected)), expected)


def replaced(text: tf.Tensor, at: tf.Tensor, new: bytes) -> tf.Tensor:
    """A string with other bytes from a place on; it keeps its length."""
    rest = tf.strings.substr(text, at + len(new), tf.int32.max)
    return tf.strings.join([tf.strings.substr(text, 0, at), new, rest])
