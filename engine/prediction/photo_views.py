"""Views of a photo, over which its prediction is averaged (test-time augmentation)."""

from collections.abc import Sequence

import tensorflow as tf

from engine.restored.classifier import Classifier
from preprocessing.photo import Photo


def views(
    classifier: Classifier, photo: Photo | tf.Tensor, tta: Sequence[str]
) -> tf.Tensor:
    """Preprocesses a photo into one or more views.

    `ten_crop` preprocesses the photo at 8/7 of the net's size and crops the corners and
    the center (A. Krizhevsky, I. Sutskever, G. Hinton: ImageNet Classification with
    Deep Convolutional Neural Networks, 2012: 224 pixels of 256).

    Args:
      classifier: preprocesses images as its net needs them.
      photo: `[height, width, channels]` uint8, decoded or not yet.
      tta: names out of `shared_options.TTA_VIEWS`; empty for the photo alone.

    Returns:
      `[views, size, size, channels]` float32: with `flip` the photo and its mirror
      image; with `ten_crop` the five crops, then their mirror images; with both all 12.
    """
    parts = []
    if "flip" in tta or not tta:
        parts.append(classifier.preprocess(photo)[tf.newaxis])
    if "ten_crop" in tta:
        size = classifier.info.image_size
        larger = round(size * 8 / 7)
        parts.append(_five_crops(classifier.preprocess(photo, larger), size))
    if tta:
        parts = [crops for part in parts for crops in (part, part[:, :, ::-1])]
    return tf.concat(parts, 0)


def _five_crops(image: tf.Tensor, size: int) -> tf.Tensor:
    last = image.shape[0] - size
    corners = [(0, 0), (0, last), (last, 0), (last, last), (last // 2, last // 2)]
    crops = [image[top : top + size, left : left + size] for top, left in corners]
    return tf.stack(crops)
