"""The plain loop that converters are: read, decode, write, one photo after the other.

python benchmarks/plain_convert.py --image_dir=photos --output_file=photos.tfrecord
"""

import pathlib

import tensorflow as tf
from absl import app, flags


def convert(image_dir: pathlib.Path, output_file: pathlib.Path) -> int:
    """Writes all photos of a folder of class folders; returns how many there were."""
    paths = sorted(image_dir.rglob("*.jpg"))
    classes = sorted({path.parent.name for path in paths})
    with tf.io.TFRecordWriter(str(output_file)) as writer:
        for path in paths:
            encoded = path.read_bytes()
            height, width, _ = tf.io.decode_jpeg(encoded, channels=3).shape
            features = {
                "image/encoded": _bytes(encoded),
                "image/format": _bytes(b"jpg"),
                "image/class/label": _int64(classes.index(path.parent.name)),
                "image/height": _int64(height),
                "image/width": _int64(width),
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    return len(paths)


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _int64(value: int) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def main(_: list[str]) -> None:
    """Converts what the flags say."""
    image_dir, output_file = flags.FLAGS.image_dir, flags.FLAGS.output_file
    convert(pathlib.Path(image_dir), pathlib.Path(output_file))


if __name__ == "__main__":
    flags.DEFINE_string("image_dir", None, "Folder with a folder a class.")
    flags.DEFINE_string("output_file", None, "TFRecord file to write.")
    flags.mark_flags_as_required(["image_dir", "output_file"])
    app.run(main)
