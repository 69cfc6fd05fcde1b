"""Small pictures of a data set's images, to be embedded in a page."""

import base64
import io
from collections.abc import Collection

import numpy as np
import tensorflow as tf
from PIL import Image

from datasets import example_schema
from datasets.dataset import Dataset
from datasets.records import record_files

_SIDE = 240  # pixels


def read(dataset: Dataset, places: Collection[tuple[int, int]]) -> dict:
    """Makes thumbnails of some records.

    Args:
      dataset: the split.
      places: (shard, record) indices of the images.

    Returns:
      From (shard, record) to the image as a data URI, at most 240 pixels per side.
    """
    found = {}
    read_file = record_files.reader(dataset)
    for shard in sorted({shard for shard, _ in places}):
        wanted = {record for place, record in places if place == shard}
        for number, serialized in read_file(tf.constant(shard)):
            record = int(number)
            if record > max(wanted):
                break
            if record in wanted:
                features = example_schema.parse_example(
                    serialized, format_default=dataset.format_default
                )
                pixels = example_schema.decode_image(features, dataset.num_channels)
                found[shard, record] = _jpeg(pixels.numpy())
    return found


def data_uri(content: bytes, media_type: str) -> str:
    """A file's content as a URI, to embed it in a page."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _jpeg(pixels: np.ndarray) -> str:
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    image.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return data_uri(buffer.getvalue(), "image/jpeg")
