"""Visual Wake Words in slim's files: is there a person in the photo?"""

import functools

from datasets import slim_dataset
from datasets.dataset_spec import DatasetSpec

SPEC = DatasetSpec("%s.record-*", ("train", "val"), 2, 3, -1, "jpeg")

get_split = functools.partial(slim_dataset.get_split, "visualwakewords", SPEC)
