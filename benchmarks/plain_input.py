"""Training input by plain tf.data: decode the whole photo, then crop, slim's recipe."""

import tensorflow as tf

from benchmarks.measuring import Scale

_SHUFFLED = 1000  # records in the buffer


def train_batches(pattern: str, scale: Scale) -> tf.data.Dataset:
    """Endless batches of distorted images in [-1, 1] and their labels.

    Args:
      pattern: of the TFRecord files.
      scale: image size and batch size.
    """
    return (
        tf.data.Dataset.list_files(pattern)
        .interleave(tf.data.TFRecordDataset, num_parallel_calls=tf.data.AUTOTUNE)
        .shuffle(_SHUFFLED)
        .repeat()
        .map(lambda record: _load(record, scale.image_size), tf.data.AUTOTUNE)
        .batch(scale.batch_size, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def _load(record: tf.Tensor, image_size: int) -> tuple[tf.Tensor, tf.Tensor]:
    features = tf.io.parse_single_example(
        record,
        {
            "image/encoded": tf.io.FixedLenFeature([], tf.string),
            "image/class/label": tf.io.FixedLenFeature([], tf.int64),
        },
    )
    image = tf.io.decode_jpeg(features["image/encoded"], channels=3)
    image = tf.image.convert_image_dtype(image, tf.float32)
    begin, size, _ = tf.image.sample_distorted_bounding_box(
        tf.shape(image),
        tf.constant([[[0.0, 0.0, 1.0, 1.0]]]),
        min_object_covered=0.1,
        aspect_ratio_range=(0.75, 1.33),
        area_range=(0.05, 1.0),
        max_attempts=100,
    )
    image = tf.image.resize(tf.slice(image, begin, size), [image_size, image_size])
    image = tf.ensure_shape(image, [image_size, image_size, 3])
    image = tf.image.random_flip_left_right(image)
    image = tf.image.random_brightness(image, 32.0 / 255.0)
    image = tf.image.random_saturation(image, 0.5, 1.5)
    image = tf.clip_by_value(image, 0.0, 1.0)
    return (image - 0.5) * 2.0, features["image/class/label"]
