"""The decoder that training uses, asked whether it takes a file."""

from common.quiet_tensorflow import tf


def takes(encoded: bytes, suffix: str) -> bool:
    """Whether TensorFlow decodes a file to its end.

    Args:
      encoded: the file's bytes.
      suffix: "jpg" or "png".
    """
    try:
        with tf.device("CPU"):
            if suffix == "jpg":
                # At an eighth of the size all codes are read and few pixels computed.
                tf.io.decode_jpeg(encoded, channels=3, ratio=8)
            else:
                tf.io.decode_png(encoded, channels=3)
    except tf.errors.InvalidArgumentError:
        return False
    return True
