"""CIFAR-10 in slim's files: photos of 32x32 pixels in ten classes."""

import functools

from datasets import slim_dataset
from datasets.dataset_spec import DatasetSpec

SPEC = DatasetSpec("cifar10_%s.tfrecord", ("train", "test"), 10, 3, 0, "png")

get_split = functools.partial(slim_dataset.get_split, "cifar10", SPEC)
