"""GIF files inside a graph: the first frame, with transparency on white."""

import tensorflow as tf

from convert.exports.graph_bytes import GraphBytes, replaced

_EXTENSION, _GRAPHIC_CONTROL, _IMAGE = 0x21, 0xF9, 0x2C
_SCREEN = 13  # offset of the first color table or block
_HAS_TABLE = 0x80
_MAX_BLOCKS = 1 << 16
_WHITE = b"\xff\xff\xff"


def normalize(encoded: tf.Tensor) -> tf.Tensor:
    """The first frame as a PNG.

    TensorFlow makes transparent pixels black, and the canvas outside the frame, too.
    Here the transparent color becomes an opaque white, and the canvas gets the color
    that Pillow gives it.

    Args:
      encoded: the file's bytes, a scalar string.

    Returns:
      A scalar string.
    """
    content = GraphBytes(encoded)
    table, size = _table(content, 10, tf.constant(_SCREEN))
    image, control = _first_image(content, table + size)
    local_table, local_size = _table(content, image + 9, image + 10)
    has_local = local_size > 0
    table = tf.where(has_local, local_table, table)
    size = tf.where(has_local, local_size, size)
    color = content.number(control + 3, 1)
    is_transparent = (control > 0) & (3 * color < size)

    def white() -> tf.Tensor:
        # Of the flags, only the disposal method is lost, which later frames need.
        plain = replaced(encoded, control, b"\x00")
        return replaced(plain, table + 3 * color, _WHITE)

    source = tf.cond(is_transparent, white, lambda: encoded)
    ground = content.rows(table, tf.constant(1), 3)[0]
    ground = tf.where(is_transparent, 255, tf.where(size > 0, ground, 0))
    pixels = _on_canvas(content, source, image, tf.cast(ground, tf.uint8))
    return tf.io.encode_png(pixels, compression=1)


def _table(
    content: GraphBytes, flags_at: tf.Tensor | int, at: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Offset of a color table, and its size in bytes: 0 if there is none."""
    flags = content.number(flags_at, 1)
    size = 3 * tf.bitwise.left_shift(2, tf.bitwise.bitwise_and(flags, 7))
    return at, tf.where(flags >= _HAS_TABLE, size, 0)


def _first_image(content: GraphBytes, at: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Offsets of the first frame, and of the flags that make a color transparent.

    Returns:
      Scalar int32; the second is 0 if no color is transparent.
    """

    def continues(at: tf.Tensor, in_data: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
        is_extension = content.number(at, 1) == _EXTENSION
        return (at < content.size) & (in_data | is_extension)

    def step(at: tf.Tensor, in_data: tf.Tensor, control: tf.Tensor) -> tuple:
        length = content.number(at, 1)
        flags = content.number(at + 3, 1)
        found = (content.number(at + 1, 1) == _GRAPHIC_CONTROL) & ~in_data
        found &= tf.bitwise.bitwise_and(flags, 1) == 1
        return (
            at + tf.where(in_data, 1 + length, 2),
            tf.where(in_data, length > 0, True),
            tf.where(found, at + 3, control),
        )

    at, _, control = tf.while_loop(
        continues,
        step,
        (at, tf.constant(False), tf.constant(0)),
        maximum_iterations=_MAX_BLOCKS,
    )
    return at, control


def _on_canvas(
    content: GraphBytes, source: tf.Tensor, image: tf.Tensor, ground: tf.Tensor
) -> tf.Tensor:
    """The frame on its canvas, [height, width, 3] uint8, of a color, [3] uint8."""
    left, top, width, height = (
        content.number(image + n, 2, little=True) for n in (1, 3, 5, 7)
    )
    # TensorFlow's canvas has the size of the largest frame: the offsets are removed.
    source = replaced(source, image + 1, bytes(4))
    pixels = tf.io.decode_image(source, channels=3, expand_animations=False)
    frame = tf.cast(pixels[:height, :width], tf.int32) - tf.cast(ground, tf.int32)
    below = tf.maximum(content.number(8, 2, little=True) - top - height, 0)
    right = tf.maximum(content.number(6, 2, little=True) - left - width, 0)
    whole = tf.pad(frame, [[top, below], [left, right], [0, 0]])
    return tf.cast(whole + tf.cast(ground, tf.int32), tf.uint8)
