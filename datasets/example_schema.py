"""slim's `tf.Example`: how one labeled photo is stored in a TFRecord."""

import numpy as np
import tensorflow as tf

from datasets.photos import photo_codec, photo_size

ENCODED = "image/encoded"
FORMAT = "image/format"
LABEL = "image/class/label"
HEIGHT = "image/height"
WIDTH = "image/width"
FILENAME = "image/filename"

# What `parse_labels` returns for a record without a label; never a label.
MISSING_LABEL = tf.int64.min


def build_example(
    encoded: bytes,
    image_format: str,
    label: int,
    height: int,
    width: int,
    filename: str | None = None,
) -> bytes:
    """Serializes a `tf.train.Example` with the keys that slim's converters write.

    Args:
      encoded: bytes of the image file (JPEG, PNG, GIF or BMP) or, with `image_format`
        "raw", the uint8 pixels, row by row.
      image_format: "jpg", "png" or "raw"; readers look only for "raw".
      label: the class id.
      height: height of the image, in pixels.
      width: width of the image, in pixels.
      filename: source of the photo, as in slim's ImageNet converter.

    Returns:
      The serialized example.
    """
    example = tf.train.Example()
    # Filled in place: each message that is made first and then put in is copied.
    feature = example.features.feature
    feature[ENCODED].bytes_list.value.append(encoded)
    feature[FORMAT].bytes_list.value.append(image_format.encode())
    for key, number in ((LABEL, label), (HEIGHT, height), (WIDTH, width)):
        feature[key].int64_list.value.append(number)
    if filename is not None:
        name = filename.encode("utf-8", "surrogateescape")
        feature[FILENAME].bytes_list.value.append(name)
    return example.SerializeToString(deterministic=True)


def parse_example(
    serialized: tf.Tensor, *, label_default: int = -1, format_default: str = ""
) -> dict[str, tf.Tensor]:
    """Reads what training needs from one record.

    Args:
      serialized: scalar string.
      label_default: label of a record that has none.
      format_default: format of a record that names none.

    Returns:
      Scalars by key: `ENCODED` and `FORMAT` strings, `LABEL`, `HEIGHT` and `WIDTH`
      int64; absent ones are "", `format_default`, `label_default`, 0 and 0.
    """
    features = {
        ENCODED: tf.io.FixedLenFeature([], tf.string, ""),
        FORMAT: tf.io.FixedLenFeature([], tf.string, format_default),
        LABEL: tf.io.FixedLenFeature([], tf.int64, label_default),
        HEIGHT: tf.io.FixedLenFeature([], tf.int64, 0),
        WIDTH: tf.io.FixedLenFeature([], tf.int64, 0),
    }
    return tf.io.parse_single_example(serialized, features)


def parse_labels(serialized: tf.Tensor) -> tf.Tensor:
    """The labels of a batch of records, `MISSING_LABEL` if there is none.

    Args:
      serialized: [batch] strings.

    Returns:
      [batch] int64.
    """
    features = {LABEL: tf.io.FixedLenFeature([], tf.int64, MISSING_LABEL)}
    return tf.io.parse_example(serialized, features)[LABEL]


def check_label(
    features: dict[str, tf.Tensor], num_classes: int, labels_offset: int = 0
) -> tf.Tensor:
    """The class that training uses: the label minus the offset, checked.

    Args:
      features: the result of `parse_example`.
      num_classes: labels are in [labels_offset, num_classes).
      labels_offset: slim's flag: 1 removes a class 0 "background".

    Returns:
      Scalar int32 in [0, num_classes - labels_offset).

    Raises:
      tf.errors.InvalidArgumentError: the label is out of range, when the graph runs.
    """
    label = features[LABEL]
    fits = tf.logical_and(label >= labels_offset, label < num_classes)
    message = f"a label is outside [{labels_offset}, {num_classes}):"
    with tf.control_dependencies([tf.debugging.Assert(fits, [message, label])]):
        return tf.cast(label - labels_offset, tf.int32)


def count_pixels(
    features: dict[str, tf.Tensor], *, known_no_jpeg: bool = False
) -> tf.Tensor:
    """The pixels of a parsed record's image by its header, int64; 0 if "raw"."""
    encoded = features[ENCODED]

    def count(content: bytes | np.ndarray) -> np.int64:
        # Outside a graph, TensorFlow passes it as an array.
        return np.int64(photo_size.num_pixels(np.asarray(content, object).item()))

    def by_header() -> tf.Tensor:
        counted = tf.numpy_function(count, [encoded], tf.int64, stateful=False)
        return tf.ensure_shape(counted, [])

    def of_no_png() -> tf.Tensor:
        return tf.cond(is_raw(features), lambda: tf.constant(0, tf.int64), by_header)

    def of_no_jpeg() -> tf.Tensor:
        # Calling Python would halve the speed of small PNGs, of which there are many.
        is_png = tf.logical_and(_has_png_header(encoded), ~is_raw(features))
        return tf.cond(is_png, lambda: _png_pixels(encoded), of_no_png)

    def of_jpeg() -> tf.Tensor:
        return tf.reduce_prod(tf.image.extract_jpeg_shape(encoded, tf.int64)[:2])

    if known_no_jpeg:
        return of_no_jpeg()
    return tf.cond(is_jpeg(features), of_jpeg, of_no_jpeg)


def _has_png_header(encoded: tf.Tensor) -> tf.Tensor:
    is_png = tf.equal(tf.strings.substr(encoded, 0, 4), b"\x89PNG")
    return tf.logical_and(is_png, tf.strings.length(encoded) >= 24)


def _png_pixels(encoded: tf.Tensor) -> tf.Tensor:
    """Width times height, each 4 bytes, big-endian, from byte 16."""
    sides = tf.strings.substr(encoded, 16, 8)
    signed = tf.io.decode_raw(sides, tf.int32, little_endian=False)
    width_height = tf.cast(tf.bitcast(signed, tf.uint32), tf.float64)
    # Exact up to 2⁵³; the largest claim, 2⁶⁴, saturates.
    return tf.cast(tf.minimum(tf.reduce_prod(width_height), 2.0**62), tf.int64)


def check_size(
    features: dict[str, tf.Tensor], *, known_no_jpeg: bool = False
) -> dict[str, tf.Tensor]:
    """The same record, once it is known not to be absurdly large.

    Args:
      features: the result of `parse_example`.
      known_no_jpeg: omits the handling of JPEG.

    Raises:
      tf.errors.InvalidArgumentError: it has more than `photo_codec.max_pixels`, when
        the graph runs.
    """
    pixels = count_pixels(features, known_no_jpeg=known_no_jpeg)
    limit = photo_codec.max_pixels(is_jpeg=False)
    if not known_no_jpeg:
        of_jpeg = photo_codec.max_pixels(is_jpeg=True)
        limit = tf.where(is_jpeg(features), of_jpeg, limit)
    with tf.control_dependencies([require_few_pixels(pixels, limit)]):
        return features | {ENCODED: tf.identity(features[ENCODED])}


def require_few_pixels(pixels: tf.Tensor, limit: int | tf.Tensor) -> tf.Operation:
    """An assertion that an image has no more pixels than the limit."""
    limit = tf.cast(limit, tf.int64)
    data = ["an image is too large, its pixels and the limit:", pixels, limit]
    return tf.raw_ops.Assert(condition=pixels <= limit, data=data)


def decode_image(features: dict[str, tf.Tensor], num_channels: int) -> tf.Tensor:
    """Decodes the image of a parsed record, whatever its format.

    JPEG, PNG, GIF (first frame) and BMP are told apart by content, as in slim; `FORMAT`
    matters only if it is "raw": then the bytes are the pixels, of the stored height and
    width or, without these, of a square.

    Args:
      features: the result of `parse_example`.
      num_channels: 1 or 3.

    Returns:
      [height, width, num_channels] uint8.
    """
    image = tf.cond(
        is_raw(features),
        lambda: _decode_raw(features, num_channels),
        lambda: _decode_file(features[ENCODED], num_channels),
    )
    return tf.ensure_shape(image, [None, None, num_channels])


def is_raw(features: dict[str, tf.Tensor]) -> tf.Tensor:
    """Whether the bytes of a parsed record are the pixels themselves, a scalar bool."""
    return tf.reduce_any(tf.equal(features[FORMAT], ["raw", "RAW"]))


def is_jpeg(features: dict[str, tf.Tensor]) -> tf.Tensor:
    """Whether the bytes of a parsed record are decoded as JPEG, a scalar bool."""
    return tf.logical_and(tf.io.is_jpeg(features[ENCODED]), ~is_raw(features))


def _decode_raw(features: dict[str, tf.Tensor], num_channels: int) -> tf.Tensor:
    pixels = tf.io.decode_raw(features[ENCODED], tf.uint8)
    area = tf.cast(tf.size(pixels) // num_channels, tf.float64)
    side = tf.cast(tf.round(tf.sqrt(area)), tf.int64)
    known = tf.logical_and(features[HEIGHT] > 0, features[WIDTH] > 0)
    height = tf.where(known, features[HEIGHT], side)
    width = tf.where(known, features[WIDTH], side)
    return tf.reshape(pixels, tf.stack([height, width, num_channels]))


def _decode_file(encoded: tf.Tensor, num_channels: int) -> tf.Tensor:
    if num_channels == 3:
        return tf.io.decode_image(encoded, channels=3, expand_animations=False)
    # TensorFlow only decodes JPEG and PNG to grayscale itself.
    is_png = tf.equal(tf.strings.substr(encoded, 0, 4), b"\x89PNG")
    return tf.cond(
        tf.logical_or(tf.io.is_jpeg(encoded), is_png),
        lambda: tf.io.decode_image(encoded, channels=1, expand_animations=False),
        lambda: tf.image.rgb_to_grayscale(
            tf.io.decode_image(encoded, channels=3, expand_animations=False)
        ),
    )
