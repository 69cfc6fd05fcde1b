"""Measures what resuming within an epoch costs.

    python -m tests.faults.resume_cost --images=20000

Photos of 160 × 120 pixels are read as training reads them: a whole epoch, decoded and
preprocessed, its first batch alone, and its last batch alone, for which all the rest is
skipped. What the last takes longer than the first is the cost.
"""

import pathlib
import tempfile
import time

import numpy as np
import tensorflow as tf
from absl import flags

from common import tables
from config import app
from convert.tfrecords.shard_writer import write_shards
from datasets import example_schema
from datasets.dataset import Dataset, Shard
from datasets.records import record_stream
from preprocessing import preprocessing_factory
from tests.datasets.training_batches import training_batches

FLAGS = flags.FLAGS

_BATCH = 32
_SIDE = 96
_REPEATS = 5


def write_photos(folder: pathlib.Path, number: int) -> Dataset:
    """A split of noisy JPEG photos in four files."""
    generator = np.random.default_rng(0)
    photos = [
        tf.io.encode_jpeg(generator.integers(0, 256, (120, 160, 3), np.uint8)).numpy()
        for _ in range(50)
    ]
    records = (
        example_schema.build_example(photos[i % 50], "jpg", i % 2, 120, 160)
        for i in range(number)
    )
    names = [f"p_train_{file:05d}-of-00004.tfrecord" for file in range(4)]
    written = write_shards(records, number, str(folder), names)
    shards = tuple(Shard(str(folder / w.file), w.records, w.bytes) for w in written)
    counts = ((number + 1) // 2, number // 2)
    return Dataset("p", "train", str(folder), shards, number, 2, None, counts)


def secs_for(dataset: Dataset, first_batch: int, num_batches: int) -> float:
    """What reading some batches takes, those before them skipped."""
    recipe = preprocessing_factory.get_preprocessing("inception", True)
    batches = training_batches(
        dataset,
        lambda image, seed: recipe(image, _SIDE, _SIDE, seed),
        batch_size=_BATCH,
        seed=0,
        start_batch=first_batch,
    )
    started_at = time.monotonic()
    for _ in batches.take(num_batches):
        pass
    return time.monotonic() - started_at


def main() -> None:
    """Prints the table of tests/faults/README.md."""
    dataset = write_photos(pathlib.Path(tempfile.mkdtemp()), FLAGS.images)
    num_batches = dataset.num_examples // _BATCH
    rows = []
    for kept in ("memory", "files"):
        if kept == "files":
            record_stream._MEMORY_BYTES = sum(s.num_bytes for s in dataset.shards) // 4
        secs_for(dataset, num_batches - 1, 1)  # TensorFlow and the disk warm up
        epoch = secs_for(dataset, 0, num_batches)
        # The least of some, since other work disturbs what is so short.
        first = min(secs_for(dataset, 0, 1) for _ in range(_REPEATS))
        last = min(secs_for(dataset, num_batches - 1, 1) for _ in range(_REPEATS))
        cost = max(0.0, last - first)
        share = f"{cost / epoch:.1%}"
        rows.append(
            [kept, f"{epoch:.1f}", f"{first:.2f}", f"{last:.2f}", f"{cost:.2f}", share]
        )
    headers = (
        *("records come from", "s an epoch", "s to its first batch"),
        *("s to its last batch", "cost in s", "share"),
    )
    print(tables.text_table(headers, rows))


if __name__ == "__main__":
    flags.DEFINE_integer("images", 20_000, "Photos of an epoch.", 100)
    app.run(main)
