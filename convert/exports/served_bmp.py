"""BMP files inside a graph: TensorFlow supports neither palettes nor compression."""

import tensorflow as tf

from convert.exports.graph_bytes import GraphBytes

_FILE_HEADER_BYTES = 14
_HEADER_BYTES = 40  # at least; older headers are laid out differently


def normalize(encoded: tf.Tensor) -> tf.Tensor:
    """A BMP as a PNG.

    Args:
      encoded: the file's bytes, a scalar string.

    Returns:
      A scalar string.

    Raises:
      tf.errors.InvalidArgumentError: when the graph runs, on files other than 8, 24 or
        32 bits without compression.
    """
    content = GraphBytes(encoded)
    header_bytes = content.number(14, 4, little=True)
    bits = content.number(28, 2, little=True)
    compression = content.number(30, 4, little=True)
    known = tf.debugging.Assert(
        (header_bytes >= _HEADER_BYTES)
        & (compression == 0)
        & tf.reduce_any(bits == [8, 24, 32]),
        [
            "unsupported BMP: this model takes 8, 24 or 32 bits without compression;"
            " save it as PNG. Its bits and kind of compression are:",
            bits,
            compression,
        ],
    )

    def colored() -> tf.Tensor:
        number = content.number(46, 4, little=True)
        number = tf.where(number == 0, 256, tf.minimum(number, 256))
        palette = content.rows(_FILE_HEADER_BYTES + header_bytes, number, 4)
        # TensorFlow takes palette indices for gray values.
        numbers = tf.cast(tf.io.decode_bmp(encoded)[..., 0], tf.int32)
        numbers = tf.minimum(numbers, tf.shape(palette)[0] - 1)
        return tf.gather(tf.cast(palette[:, 2::-1], tf.uint8), numbers)  # from BGR

    with tf.control_dependencies([known]):
        pixels = tf.cond(bits == 8, colored, lambda: tf.io.decode_bmp(encoded)[..., :3])
    return tf.io.encode_png(pixels, compression=1)
