"""A pass over all records of a data set: sizes, formats, copies, some of each class."""

import collections
import dataclasses
import hashlib
import io
import math
import os
from collections.abc import Iterator
from typing import Any

from PIL import Image

from common.progress import progress
from common.quiet_tensorflow import tf
from datasets import example_schema, pipeline_options
from datasets.dataset import Dataset
from datasets.photos import photo_codec
from datasets.records import record_faults
from errors import UserError

SAMPLE_SIDE = 128  # pixels
_FORMATS = ("JPEG", "PNG", "GIF", "BMP")  # what TensorFlow decodes


@dataclasses.dataclass(frozen=True)
class Record:
    """A record.

    Attributes:
      split: its split.
      file: the name of its TFRecord file.
      number: its position in that file, from 0.
      label: its label; None if it has none.
      photo: the name of the photo it was made from; "" if it is not stored.
    """

    split: str
    file: str
    number: int
    label: int | None
    photo: str


@dataclasses.dataclass(frozen=True)
class Sample:
    """An RGB image shrunk to `SAMPLE_SIDE`, and its original size in pixels."""

    image: Image.Image
    width: int
    height: int


class Survey:
    """What all records of some splits hold.

    Attributes:
      sizes: width and height of each image in pixels, by split.
      formats: number of images of each format, by split.
      samples: the first images of each class, by label.
      unfit: records that training cannot use, each with the reason.
    """

    def __init__(self, num_samples: int):
        """Creates an empty survey.

        Args:
          num_samples: number of images of each class to keep.
        """
        self.sizes: dict[str, list[tuple[int, int]]] = {}
        self.formats: dict[str, collections.Counter[str]] = {}
        self.samples: dict[int, list[Sample]] = collections.defaultdict(list)
        self.unfit: list[tuple[Record, str]] = []
        self._num_samples = num_samples
        self._alike: dict[bytes, list[Record]] = collections.defaultdict(list)

    @property
    def copies(self) -> list[list[Record]]:
        """Groups of records whose images are identical bytes."""
        return [group for group in self._alike.values() if len(group) > 1]

    def add(self, dataset: Dataset) -> None:
        """Reads a split: the header of each image, the pixels of samples only.

        Raises:
          UserError: a file cannot be read; the message names file and record.
        """
        self.sizes[dataset.split_name] = []
        self.formats[dataset.split_name] = collections.Counter()
        for record, features in progress(
            records_of(dataset),
            total=dataset.num_examples,
            desc=f"reading {dataset.split_name}",
            unit="image",
        ):
            reason = record_faults.explain_label(record.label, dataset)
            try:
                if not reason:
                    self._look(record, features, dataset)
            except Exception as error:  # decoders raise anything
                reason = f"its image cannot be read: {error}"
            if reason:
                self.unfit.append((record, reason))

    def _look(self, record: Record, features: Any, dataset: Dataset) -> None:
        image = _open(features, dataset)
        is_jpeg = photo_codec.is_jpeg(image)
        if image.width * image.height > photo_codec.max_pixels(is_jpeg=is_jpeg):
            limit = photo_codec.explain_limit(is_jpeg=is_jpeg)
            raise UserError(f"{image.width} × {image.height} pixels, {limit}")
        self.sizes[record.split].append(image.size)
        self.formats[record.split][image.format or "raw"] += 1
        self._alike[hashlib.sha256(encoded_of(features)).digest()].append(record)
        label = dataset.label_default if record.label is None else record.label
        if len(self.samples[label]) < self._num_samples:
            sample = image.convert("RGB")
            sample.thumbnail((SAMPLE_SIDE, SAMPLE_SIDE))
            self.samples[label].append(Sample(sample, *image.size))


def records_of(dataset: Dataset) -> Iterator[tuple[Record, Any]]:
    """All records of a split, each with its features by key."""
    for shard in dataset.shards:
        records = pipeline_options.apply(tf.data.TFRecordDataset(shard.path))
        stream = records.as_numpy_iterator()
        try:
            for number, serialized in enumerate(stream):
                if reason := record_faults.explain_type(serialized):
                    raise UserError(f"{shard.path}, record {number} (from 0): {reason}")
                features = tf.train.Example.FromString(serialized).features.feature
                labels = features[example_schema.LABEL].int64_list.value
                photos = features[example_schema.FILENAME].bytes_list.value
                yield (
                    Record(
                        split=dataset.split_name,
                        file=os.path.basename(shard.path),
                        number=number,
                        label=labels[0] if labels else None,
                        photo=os.fsdecode(photos[0]) if photos else "",
                    ),
                    features,
                )
        except record_faults.READ_ERRORS as error:
            raise record_faults.explain(dataset, error) from error


def encoded_of(features: Any) -> bytes:
    """The image of a record, as it is stored."""
    return features[example_schema.ENCODED].bytes_list.value[0]


def _open(features: Any, dataset: Dataset) -> Image.Image:
    """The image of a record, not yet decoded unless it is stored as raw pixels."""
    encoded = encoded_of(features)
    formats = features[example_schema.FORMAT].bytes_list.value
    image_format = formats[0].decode() if formats else dataset.format_default
    if image_format not in ("raw", "RAW"):
        with photo_codec.pillows_limit_lifted():
            return Image.open(io.BytesIO(encoded), formats=_FORMATS)
    size = tuple(
        sum(features[key].int64_list.value)
        for key in (example_schema.WIDTH, example_schema.HEIGHT)
    )
    square = math.isqrt(len(encoded) // dataset.num_channels)
    mode = "L" if dataset.num_channels == 1 else "RGB"
    return Image.frombytes(mode, size if all(size) else (square, square), encoded)
