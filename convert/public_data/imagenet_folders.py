"""ImageNet in its usual folders: train/n01440764/….JPEG and val/n01440764/….JPEG."""

import functools
import os
import random
from collections.abc import Iterator, Mapping, Sequence

from convert.public_data.collection import Collection, Example, Split, shard_names
from datasets import imagenet
from datasets.photos.photo_files import is_ignored
from errors import UserError, nearest

# By split: possible names of its folder, and slim's number of files.
_SPLITS = {
    "train": (("train", "ILSVRC2012_img_train"), 1024),
    "validation": (("val", "validation", "ILSVRC2012_img_val"), 128),
}


def imagenet_folders(data_dir: str) -> Collection:
    """Photos in a folder for each WordNet ID, labeled as in slim.

    Label 0 is the background, which has no photos; the others are in the order of the
    IDs.

    Args:
      data_dir: holds a folder for each split; classes may be missing.

    Raises:
      UserError: a split's folder is missing, or holds folders with other names.
    """
    labels = {synset: label for label, synset in enumerate(imagenet.synsets(), 1)}
    splits = {}
    for split, (folders, num_shards) in _SPLITS.items():
        paths = [os.path.join(data_dir, folder) for folder in folders]
        directory = next(filter(os.path.isdir, paths), None)
        if directory is None:
            raise UserError(
                f"--data_dir={data_dir} has no folder {folders[0]}: put the {split}"
                " photos there, in a folder for each WordNet ID, as in"
                f" {folders[0]}/n01440764"
            )
        photos = _find(directory, labels)
        random.Random(0).shuffle(photos)
        splits[split] = Split(
            shard_names(f"{split}-%05d-of-%05d", num_shards, len(photos)),
            len(photos),
            functools.partial(_read, directory, photos, labels),
        )
    return Collection((imagenet.BACKGROUND, *imagenet.synsets().values()), splits)


def _find(directory: str, labels: Mapping[str, int]) -> list[str]:
    """Photos as "n01440764/name.JPEG", sorted."""
    photos = []
    for folder in _shown(directory):
        if folder not in labels:
            raise UserError(
                f"{os.path.join(directory, folder)} is not an ImageNet"
                f" class{nearest(folder, labels)}: photos must be in folders named by"
                " WordNet IDs, as in n01440764"
            )
        names = _shown(os.path.join(directory, folder))
        photos += [f"{folder}/{name}" for name in names]
    return photos


def _shown(directory: str) -> list[str]:
    """The sorted content of a folder, without files of the operating system."""
    return sorted(name for name in os.listdir(directory) if not is_ignored(name))


def _read(
    directory: str, photos: Sequence[str], labels: Mapping[str, int]
) -> Iterator[Example]:
    for name in photos:
        with open(os.path.join(directory, name), "rb") as file:
            yield Example(file.read(), labels[name.partition("/")[0]], name)
