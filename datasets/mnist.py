"""MNIST in slim's files: grayscale images of 28x28 pixels of the ten digits."""

import functools

from datasets import slim_dataset
from datasets.dataset_spec import DatasetSpec

SPEC = DatasetSpec("mnist_%s.tfrecord", ("train", "test"), 10, 1, 0, "raw")

get_split = functools.partial(slim_dataset.get_split, "mnist", SPEC)
