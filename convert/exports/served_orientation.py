"""The orientation in a photo's metadata, read and applied inside a graph.

EXIF is a TIFF header and a table of entries (JEITA CP-3451, 4.5 and 4.6.2); without an
orientation there, XMP text may have one. Both are respected as in Pillow.
"""

import tensorflow as tf

from convert.exports.graph_bytes import GraphBytes

_ORIENTATION = 0x0112
_SHORT, _LONG = 3, 4  # types of an entry
_TIFF = r"II\*\x00|MM\x00\*"
_XMP = r'tiff:Orientation(?:="|>)([0-9])'
UPRIGHT = 1


def turned_upright(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """An upright image.

    Args:
      pixels: [height, width, channels].
      orientation: 1 to 8, as in EXIF.

    Returns:
      [height, width, channels], or [width, height, channels].
    """
    pixels = tf.cond(
        orientation >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels
    )
    upside_down = tf.reduce_any(orientation == [3, 4, 7, 8])
    mirrored = tf.reduce_any(orientation == [2, 3, 6, 7])
    pixels = tf.cond(upside_down, lambda: tf.reverse(pixels, [0]), lambda: pixels)
    return tf.cond(mirrored, lambda: tf.reverse(pixels, [1]), lambda: pixels)


def of_metadata(tiff: tf.Tensor, xmp: tf.Tensor) -> tf.Tensor:
    """The orientation, 1 to 8, scalar int32; 1 (upright) if it is unknown.

    Args:
      tiff: EXIF from its TIFF header on, a scalar string; "" if there is none.
      xmp: text that may hold XMP, a scalar string.
    """
    exif = _of_tiff(tiff)
    # A text without orientation is unchanged, and may itself be a digit or longer.
    digit = tf.strings.regex_replace(xmp, rf"^\C*?{_XMP}\C*$", r"\1")
    said = tf.strings.length(digit) == 1
    said = tf.logical_and(said, tf.strings.regex_full_match(digit, "[0-9]"))
    of_xmp = tf.strings.to_number(tf.where(said, digit, "1"), tf.int32)
    value = tf.where(exif >= 0, exif, of_xmp)
    return tf.where(tf.logical_and(value >= 1, value <= 8), value, UPRIGHT)


def _of_tiff(tiff: tf.Tensor) -> tf.Tensor:
    """The value of the orientation's entry, scalar int32; -1 if there is none."""
    content = GraphBytes(tiff)
    little = content.starts_with(0, b"II")
    known = tf.strings.regex_full_match(tf.strings.substr(tiff, 0, 4), _TIFF)
    start = content.number(4, 4, little=little)
    start = tf.minimum(start, content.size)
    number = tf.where(known, content.number(start, 2, little=little), 0)
    # Tag and type, two bytes each; count, four; the value or its offset, four.
    entries = content.rows(start + 2, number, 12)
    ordered = tf.where(little, tf.gather(entries, _SWAPPED, axis=1), entries)
    tags = ordered[:, 0] * 256 + ordered[:, 1]
    types = ordered[:, 2] * 256 + ordered[:, 3]
    single = tf.reduce_all(ordered[:, 4:8] == [0, 0, 0, 1], axis=1)
    shorts = tf.where(little, ordered[:, 10:12], ordered[:, 8:10])
    small = tf.reduce_all(
        ordered[:, 8:10] == 0, axis=1
    )  # the upper half of a long value
    value = shorts[:, 0] * 256 + shorts[:, 1]
    is_long = types == _LONG
    low = ordered[:, 10] * 256 + ordered[:, 11]
    value = tf.where(is_long, tf.where(small, low, 0), value)
    fits = single & (tags == _ORIENTATION) & (is_long | (types == _SHORT))
    return tf.concat([[-1], tf.boolean_mask(value, fits)], axis=0)[-1]


# The position of each byte of an entry in little-endian order.
_SWAPPED = [1, 0, 3, 2, 7, 6, 5, 4, 11, 10, 9, 8]


def tiff_after(mark: str, text: tf.Tensor) -> tf.Tensor:
    """What follows a mark, if it begins with a TIFF header; otherwise "".

    Args:
      mark: a regular expression.
      text: a scalar string.
    """
    pattern = rf"^\C*?{mark}((?:{_TIFF})\C*)$"
    found = tf.strings.regex_full_match(text, pattern)
    return tf.cond(
        found,
        lambda: tf.strings.regex_replace(text, pattern, r"\1"),
        lambda: tf.constant(""),
    )
