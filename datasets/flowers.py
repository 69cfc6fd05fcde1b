"""slim's flowers: photos of five kinds."""

import functools

from datasets import slim_dataset
from datasets.dataset_spec import DatasetSpec

SPEC = DatasetSpec("flowers_%s_*.tfrecord", ("train", "validation"), 5, 3, 0, "png")

get_split = functools.partial(slim_dataset.get_split, "flowers", SPEC)
