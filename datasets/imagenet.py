"""The classes of ImageNet (ILSVRC 2012): their WordNet identifiers and words."""

import functools
import pathlib

from datasets import slim_dataset
from datasets.dataset_spec import DatasetSpec

BACKGROUND = "background"  # class 0 of slim's 1001


@functools.cache
def synsets() -> dict[str, str]:
    """The words of the 1000 classes by WordNet identifier, in order.

    The order is that of the identifiers: position i is label i of nets with 1000
    classes, and label i + 1 of nets with 1001.
    """
    path = pathlib.Path(__file__).with_name("imagenet_classes.txt")
    lines = path.read_text(encoding="utf-8").splitlines()
    return {synset: words for synset, _, words in (s.partition(" ") for s in lines)}


def class_names(num_classes: int) -> tuple[str, ...] | None:
    """The class names of a net with 1000 or 1001 classes; None for other numbers."""
    names = tuple(synsets().values())
    return {1000: names, 1001: (BACKGROUND, *names)}.get(num_classes)


def create_readable_names_for_imagenet_labels() -> dict[int, str]:
    """The names of slim's 1001 classes by label: slim's function of this name."""
    return dict(enumerate([BACKGROUND, *synsets().values()]))


SPEC = DatasetSpec(
    "%s-*", ("train", "validation"), 1001, 3, -1, "jpeg", class_names(1001)
)

get_split = functools.partial(slim_dataset.get_split, "imagenet", SPEC)
