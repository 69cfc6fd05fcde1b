"""Visual Wake Words: photos of COCO 2014, with or without a person."""

import functools
import json
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from convert.public_data.collection import (
    Collection,
    Example,
    Remote,
    Split,
    fetch,
    shard_names,
)
from errors import UserError, nearest

# The server has no certificate for https; the SHA-256 verifies the files.
_URL = "http://images.cocodataset.org/"
_MAX_BYTES = 20_000_000_000
_ANNOTATIONS = Remote(
    f"{_URL}annotations/annotations_trainval2014.zip",
    "031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009",
)
# By split: the photos, and slim's number of files.
_PHOTOS = {
    "train": (
        Remote(
            f"{_URL}zips/train2014.zip",
            "ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775",
            _MAX_BYTES,
        ),
        100,
    ),
    "val": (
        Remote(
            f"{_URL}zips/val2014.zip",
            "fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0",
            _MAX_BYTES,
        ),
        10,
    ),
}


def visual_wake_words(data_dir: str, *, foreground: str, area: float) -> Collection:
    """Photos in two classes: "background", and a COCO category.

    Args:
      data_dir: folder for the downloads, 20 GB.
      foreground: the COCO category, such as "person".
      area: a photo is in that class if an annotation of the category covers more than
        this fraction of its area.

    Raises:
      UserError: there is no such category.
    """
    annotations = fetch(_ANNOTATIONS, data_dir)
    splits = {}
    for name, (photos, num_shards) in _PHOTOS.items():
        with zipfile.ZipFile(annotations) as archive:
            member = f"annotations/instances_{name}2014.json"
            labels = _labels(json.loads(archive.read(member)), foreground, area)
        splits[name] = Split(
            shard_names(f"{name}.record-%05d-of-%05d", num_shards, len(labels)),
            len(labels),
            functools.partial(_read, fetch(photos, data_dir), f"{name}2014", labels),
        )
    return Collection(("background", foreground), splits)


def _labels(content: Any, foreground: str, area: float) -> dict[str, int]:
    """The label, 0 or 1, of each photo by its file name, in the order of their IDs."""
    categories = {entry["name"]: entry["id"] for entry in content["categories"]}
    if foreground not in categories:
        raise UserError(
            f"--foreground_class_of_interest={foreground}: COCO has no such category"
            f"{nearest(foreground, categories)}; it has {', '.join(categories)}"
        )
    images = {image["id"]: image for image in content["images"]}
    with_foreground = set()
    for annotation in content["annotations"]:
        image = images[annotation["image_id"]]
        share = annotation["area"] / (image["height"] * image["width"])
        if annotation["category_id"] == categories[foreground] and share > area:
            with_foreground.add(image["id"])
    return {
        images[key]["file_name"]: int(key in with_foreground) for key in sorted(images)
    }


def _read(path: str, folder: str, labels: Mapping[str, int]) -> Iterator[Example]:
    with zipfile.ZipFile(path) as archive:
        for name, label in labels.items():
            yield Example(archive.read(f"{folder}/{name}"), label, name)
