"""Training input from JPEG photos: ours, plain tf.data, torchvision's transforms.

python -m benchmarks.input
"""

import dataclasses
import functools
import pathlib
from collections.abc import Iterable, Iterator

from benchmarks import measuring, photos
from benchmarks.measuring import Contestant, Measure, Scale

_LARGE_PHOTOS = 10  # drawing one takes seconds


def tables(folder: pathlib.Path, scale: Scale) -> Iterator[str]:
    """Images a second, decoded and distorted for training, for each size of photos."""
    from benchmarks import ours

    few = dataclasses.replace(scale, num_images=min(_LARGE_PHOTOS, scale.num_images))
    for of_size, large in ((scale, False), (few, True)):
        directory = ours.make_data(folder, of_size, large=large)
        contestants = [
            Contestant("ours", functools.partial(_ours, directory, of_size)),
            Contestant("plain tf.data", functools.partial(_plain, directory, of_size)),
            Contestant("torchvision", functools.partial(_torch, directory, of_size)),
        ]
        title = f"training input, JPEG of {directory.name} to {scale.image_size} pixels"
        yield measuring.table(title, measuring.race(contestants, of_size), "images/s")


def _ours(folder: pathlib.Path, scale: Scale) -> Measure:
    from benchmarks import ours
    from datasets import input_pipeline
    from engine import inputs
    from nets.network import Network

    config = ours.train_config(folder, scale)
    dataset = inputs.get_dataset(config.data, "train")
    network = Network(
        scale.model_name, num_classes=photos.NUM_CLASSES, image_size=scale.image_size
    )
    examples = input_pipeline.TrainExamples(
        dataset,
        inputs.preprocess_fn(config.data, network, is_training=True),
        seed=0,
        num_readers=config.train_data.num_readers,
    )
    batches = input_pipeline.train_batches(
        examples,
        batch_size=scale.batch_size,
        seed=0,
        num_threads=config.data.num_preprocessing_threads,
    )
    return _drawn(batches, scale)


def _plain(folder: pathlib.Path, scale: Scale) -> Measure:
    from benchmarks import plain_input

    pattern = str(folder / "data" / "photos_train_*.tfrecord")
    batches = plain_input.train_batches(pattern, scale)
    return _drawn(batches, scale)


def _torch(folder: pathlib.Path, scale: Scale) -> Measure:
    from benchmarks import torch_peer

    batches = torch_peer.photo_batches(folder / "photos" / "train", scale)
    return _drawn(batches, scale)


def _drawn(batches: Iterable, scale: Scale) -> Measure:
    """Measures how fast batches come once they do; endless ones, closed at the end."""

    def measure() -> float:
        # Of this turn alone: one left open would prefetch while others have theirs.
        iterator = iter(batches)

        def step() -> int:
            next(iterator)
            return scale.batch_size

        measuring.rate(step, scale.round_secs / 2)  # until threads are tuned
        return measuring.rate(step, scale.round_secs)

    return measure


if __name__ == "__main__":
    measuring.run(tables)
