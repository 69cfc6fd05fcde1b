"""A photo's bytes prepared for TensorFlow's decoder inside a graph, for serving.

This does with TensorFlow's operations what `datasets.photos.photo_codec` does before
training and prediction, so that a served model sees what the checkpoint was trained on.
JPEG, PNG, GIF and uncompressed BMP files are supported.
"""

import tensorflow as tf

from convert.exports import served_bmp, served_gif, served_orientation
from convert.exports.graph_bytes import GraphBytes
from convert.exports.served_orientation import UPRIGHT, of_metadata, turned_upright

FORMATS = "JPEG, PNG, GIF (its first frame) and uncompressed BMP files"
_PNG = b"\x89PNG\r\n\x1a\n"
_QUALITY = 95  # as in `photo_codec`
# A segment that marks an Adobe file with unconverted components. Pillow, like all
# others, takes CMYK for inverted, as Adobe writes it; TensorFlow needs this segment.
_ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_SPEAKING = r"Exif\x00\x00|tiff:Orientation"
_BARE_MARKERS = [0x01, *range(0xD0, 0xD9)]  # without a length
_MAX_SEGMENTS = 4096
_BITS_OF_DEEP = 16
_SURELY_16_BITS = 1 << 14  # smaller values may have a camera's 14, 12 or 10


def normalize(encoded: tf.Tensor, bits: int | None = None) -> tf.Tensor:
    """A photo's bytes in a form that TensorFlow decodes to what people see.

    Args:
      encoded: the file's bytes, a scalar string.
      bits: the bit depth that prediction assumes for 16-bit files, as for
        `deep_photo.reduce`; if it is less than 16, such files are refused.

    Returns:
      The same bytes, or those of a JPEG or PNG: rotated as EXIF or XMP says, with
      transparency on white and 8 bits per channel.

    Raises:
      tf.errors.InvalidArgumentError: when the graph runs, on an unsupported format.
    """
    head = tf.strings.substr(encoded, 0, len(_PNG))
    kinds = tf.stack(
        [
            tf.io.is_jpeg(encoded),
            head == _PNG,
            tf.strings.regex_full_match(tf.strings.substr(head, 0, 6), "GIF8[79]a"),
            tf.strings.substr(head, 0, 2) == b"BM",
        ]
    )
    known = tf.debugging.Assert(
        tf.reduce_any(kinds),
        [
            f"unsupported photo: this model takes {FORMATS}; convert WebP, TIFF, HEIC,"
            " AVIF and others to one of these. The first bytes are:",
            head,
        ],
    )
    with tf.control_dependencies([known]):
        kind = tf.argmax(tf.cast(kinds, tf.int32), output_type=tf.int32)
    return tf.switch_case(
        kind,
        [
            lambda: _jpeg(encoded),
            lambda: _png(encoded, bits),
            lambda: served_gif.normalize(encoded),
            lambda: served_bmp.normalize(encoded),
        ],
    )


def _jpeg(encoded: tf.Tensor) -> tf.Tensor:
    is_cmyk = tf.image.extract_jpeg_shape(encoded)[2] == 4
    # Most files contain neither, so their segments need not be parsed.
    speaks = tf.strings.regex_full_match(encoded, rf"\C*(?:{_SPEAKING})\C*")
    nothing = (tf.constant(""), tf.constant(""), tf.constant(False))
    tiff, xmp, is_adobe = tf.cond(
        speaks | is_cmyk, lambda: _segments(encoded), lambda: nothing
    )
    orientation = tf.cond(
        speaks, lambda: of_metadata(tiff, xmp), lambda: tf.constant(UPRIGHT)
    )

    def reencoded() -> tf.Tensor:
        rest = tf.strings.substr(encoded, 2, tf.int32.max)
        marked = tf.strings.join([b"\xff\xd8", _ADOBE, rest])
        source = tf.where(is_cmyk & ~is_adobe, marked, encoded)
        pixels = tf.io.decode_jpeg(source, dct_method="INTEGER_ACCURATE")
        return tf.io.encode_jpeg(
            turned_upright(pixels, orientation),
            quality=_QUALITY,
            chroma_downsampling=False,
        )

    return tf.cond((orientation != UPRIGHT) | is_cmyk, reencoded, lambda: encoded)


def _segments(encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The metadata in the segments before the pixels of a JPEG.

    Returns:
      EXIF from its TIFF header on, and XMP, scalar strings; whether there is an Adobe
      segment, a scalar bool.
    """
    content = GraphBytes(encoded)

    def continues(at: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
        mark, marker = tf.unstack(content.numbers(at, 2))
        ends = tf.reduce_any(marker == [0x00, 0xD9, 0xDA])
        return (mark == 0xFF) & ~ends & (at < content.size)

    def step(
        at: tf.Tensor, exif_at: tf.Tensor, xmp_at: tf.Tensor, is_adobe: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        _, marker, high, low = tf.unstack(content.numbers(at, 4))
        is_bare = tf.reduce_any(marker == _BARE_MARKERS)
        size = tf.where(is_bare, 2, 2 + high * 256 + low)
        is_exif = (marker == 0xE1) & content.starts_with(at + 4, b"Exif\0\0")
        is_xmp = (marker == 0xE1) & content.starts_with(at + 4, _XMP)
        adobe = (marker == 0xEE) & content.starts_with(at + 4, b"Adobe")
        return (
            at + tf.where(marker == 0xFF, 1, size),  # 0xFF: a fill byte
            tf.where(is_exif & (exif_at == 0), at, exif_at),
            tf.where(is_xmp, at, xmp_at),
            is_adobe | adobe,
        )

    zero = tf.constant(0)
    _, exif_at, xmp_at, is_adobe = tf.while_loop(
        continues,
        step,
        (tf.constant(2), zero, zero, tf.constant(False)),
        maximum_iterations=_MAX_SEGMENTS,
    )
    tiff = tf.strings.regex_replace(
        _segment(content, exif_at), r"^(?:Exif\x00\x00){1,2}", ""
    )
    return tiff, _segment(content, xmp_at), is_adobe


def _segment(content: GraphBytes, at: tf.Tensor) -> tf.Tensor:
    """The content of a segment after its length; "" if its offset is 0."""
    length = tf.maximum(content.number(at + 2, 2) - 2, 0)
    start = tf.minimum(at + 4, content.size)
    return tf.strings.substr(content.text, start, tf.where(at > 0, length, 0))


def _png(encoded: tf.Tensor, bits: int | None) -> tf.Tensor:
    tiff = served_orientation.tiff_after("eXIf", encoded)
    orientation = of_metadata(tiff, encoded)
    is_transparent, is_plain = _png_kind(encoded)

    def reencoded() -> tf.Tensor:
        pixels = tf.cond(
            is_transparent,
            lambda: on_white(_eight_bits(encoded, 4, bits)),
            lambda: _eight_bits(encoded, 3, bits),
        )
        return tf.io.encode_png(turned_upright(pixels, orientation), compression=1)

    return tf.cond(is_plain & (orientation == UPRIGHT), lambda: encoded, reencoded)


def _eight_bits(encoded: tf.Tensor, channels: int, bits: int | None) -> tf.Tensor:
    """The pixels of a PNG, [height, width, channels] uint8."""
    fault = "is almost black, unless it uses fewer bits"
    least = _SURELY_16_BITS
    if bits and bits < _BITS_OF_DEEP:
        fault, least = f"is refused: the model was trained on {bits} bits", tf.int32.max

    def reduced() -> tf.Tensor:
        deep = tf.cast(tf.io.decode_png(encoded, channels, tf.uint16), tf.int32)
        largest = tf.reduce_max(deep[..., :3])
        known = tf.debugging.Assert(
            largest >= least,
            [
                f"this 16-bit PNG {fault}; save it with 8 bits. The largest value is:",
                largest,
            ],
        )
        with tf.control_dependencies([known]):
            return tf.cast(deep // 256, tf.uint8)

    is_deep = GraphBytes(encoded).number(24, 1) == _BITS_OF_DEEP
    return tf.cond(is_deep, reduced, lambda: tf.io.decode_png(encoded, channels))


def _png_kind(encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Whether a PNG is transparent, and whether it is 8-bit gray or RGB without alpha.

    A gray value of 2 or 4 bits is transparent only if it is 0, as in Pillow.
    """
    depth, color = tf.unstack(GraphBytes(encoded).numbers(24, 2))
    # The chunk that makes colors transparent comes before the pixels.
    pattern = r"^\C*?(?:tRNS(\C\C)|IDAT)\C*$"
    value = tf.strings.regex_replace(encoded, pattern, r"\1")
    is_first = tf.equal(value, b"\0\0")
    has_value = tf.strings.length(value) == 2
    is_small = (color == 0) & tf.reduce_any(depth == [2, 4])
    by_color = has_value & (is_first | ~is_small)
    has_alpha = tf.reduce_any(color == [4, 6])
    is_plain = (depth == 8) & tf.reduce_any(color == [0, 2]) & ~has_value
    return by_color | has_alpha, is_plain


def on_white(pixels: tf.Tensor) -> tf.Tensor:
    """RGBA pixels on white, rounded like Pillow's `alpha_composite`.

    Args:
      pixels: [height, width, 4] uint8.

    Returns:
      [height, width, 3] uint8.
    """
    rgb, alpha = tf.cast(pixels[..., :3], tf.int32), tf.cast(pixels[..., 3:], tf.int32)
    mixed = (rgb * alpha + 255 * (255 - alpha) + 128) * 128
    return tf.cast((mixed // 256 + mixed) // 256 // 128, tf.uint8)
