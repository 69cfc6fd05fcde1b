"""What decides a conversion's result, and how dataset.json remembers it."""

import dataclasses
import hashlib
import importlib.metadata
import json
import os
import re
from typing import Any

from convert.photos import class_names, photo_content, photo_sources
from convert.photos.photo_sources import Found
from convert.photos.splits import Fractions
from convert.tfrecords.source_photo import Source
from datasets import dataset_json
from datasets.dataset_json import DatasetInfo
from errors import UserError

DEFAULT_VALIDATION_FRACTION = 0.2


@dataclasses.dataclass(frozen=True)
class Settings:
    """All that decides the content of a dataset, beside the photos.

    Attributes:
      image_dir: a folder of photos, or where paths in `csv_file` begin.
      csv_file: a list of photos, used in place of folders.
      dataset_dir: where the dataset goes.
      dataset_name: what it is called.
      validation_fraction: share of the validation split; None: 0.2, or 0 where the
        photos are divided already.
      test_fraction: share of the test split; None: 0.
      num_shards: TFRecord files a split.
      max_side: photos with a longer side are shrunk to it, in pixels; 0: none are.
      bits: see `deep_photo.reduce`.
      seed: decides splits and order.
      classes: which folders are classes, as `folder_layout.read` takes it.
      splits: where the splits are, the same way; "none" holds for `csv_file` too.
      csv_split_column: the column of `csv_file` that says the splits.
      class_names: by label; None: those of the photos, sorted.
    """

    image_dir: str | None
    csv_file: str | None
    dataset_dir: str
    dataset_name: str
    validation_fraction: float | None = None
    test_fraction: float | None = None
    num_shards: int = 5
    max_side: int = 0
    bits: int | None = None
    seed: int = 0
    classes: str | None = None
    splits: str | None = None
    csv_split_column: str | None = None
    class_names: tuple[str, ...] | None = None

    @property
    def source(self) -> str:
        """Where the photos are from."""
        return self.csv_file or self.image_dir or ""

    def check(self) -> None:
        """Raises a UserError for settings that are absent or at odds."""
        if not self.source:
            raise UserError("no photos: give --image_dir=FOLDER or --csv_file=FILE")
        if not self.dataset_dir:
            raise UserError("no --dataset_dir: name a folder for the dataset")
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", self.dataset_name or ""):
            raise UserError(
                f"--dataset_name={self.dataset_name or ''}: give a name of letters,"
                " digits, '_', '-' and '.', as in --dataset_name=stamps"
            )
        self._check_fractions()
        if self.csv_file and (self.classes or self.splits not in (None, "none")):
            flag = "classes" if self.classes else "splits"
            raise UserError(
                f"--{flag}={self.classes or self.splits} is about folders, and"
                " --csv_file lists the photos: leave one of them out"
            )
        if self.csv_split_column and (not self.csv_file or self.splits):
            raise UserError(
                f"--csv_split_column={self.csv_split_column} needs --csv_file, and no"
                " --splits"
            )
        if self.image_dir and not self.csv_file:
            photos, output = map(os.path.realpath, (self.image_dir, self.dataset_dir))
            if os.path.commonpath([photos, output]) == photos:
                raise UserError(
                    f"--dataset_dir={self.dataset_dir} lies in --image_dir: choose a"
                    " folder outside, so that it is not taken for a class"
                )

    def _check_fractions(self) -> None:
        share = (self.validation_fraction or 0) + (self.test_fraction or 0)
        if share > 1 or (share == 1 and not self.class_names):
            raise UserError(
                f"--validation_fraction={self.validation_fraction or 0} and"
                f" --test_fraction={self.test_fraction or 0} leave nothing to train on:"
                " together they must be below 1, or 1 for photos to test the classes of"
                " --classes_of or --labels_file on"
            )


def find(settings: Settings) -> tuple[Found, Fractions]:
    """Finds the photos, and how those without a given split are to be divided.

    Raises:
      UserError: there are none, or a fraction is given for a split that exists.
    """
    if settings.csv_file:
        found = photo_sources.find_in_csv(
            settings.csv_file,
            settings.image_dir,
            split_column=settings.csv_split_column,
            divided=settings.splits != "none",
            any_label=settings.class_names is not None,
        )
    else:
        found = photo_sources.find_in_folder(
            settings.source, classes=settings.classes, splits=settings.splits
        )
    if not found.sources:
        raise UserError(_explain_nothing(settings, found))
    if settings.class_names:
        used = {source.class_name for source in found.sources}
        class_names.check_known(used, settings.class_names)
    else:
        class_names.check_distinct(found.classes)
    given = {source.split for source in found.sources if source.split}
    wanted = {
        "validation": settings.validation_fraction,
        "test": settings.test_fraction,
    }
    for split in sorted(given & {split for split, share in wanted.items() if share}):
        raise UserError(
            f"--{split}_fraction={wanted[split]}, but {settings.source} has a split"
            f" {split} of its own: leave the flag out, or the split"
        )
    if given and any(wanted.values()):
        found.sources = [_open_train(source) for source in found.sources]
    if not given and settings.validation_fraction is None:
        rest = 1 - (settings.test_fraction or 0)
        if rest > DEFAULT_VALIDATION_FRACTION:
            wanted["validation"] = DEFAULT_VALIDATION_FRACTION
    return found, Fractions(wanted["validation"] or 0.0, wanted["test"] or 0.0)


def _explain_nothing(settings: Settings, found: Found) -> str:
    if settings.csv_file and found.rejections:
        first = found.rejections[0]
        return (
            f"none of the {len(found.rejections)} photos that {settings.csv_file} lists"
            f" can be used: {first.name!r} is the first ({first.reason}); relative"
            " paths begin at --image_dir or, without it, at the folder of the CSV file"
        )
    if settings.csv_file:
        return f"{settings.csv_file} lists no photos: give each a line below the header"
    seen = f"only {len(found.rejections)} other files" if found.rejections else "none"
    return (
        f"{settings.image_dir} should hold a folder for each class, with the photos"
        f" inside: there are {seen}"
    )


def _open_train(source: Source) -> Source:
    """A training photo becomes one that may fall to any split."""
    return (
        dataclasses.replace(source, split=None) if source.split == "train" else source
    )


def entry(settings: Settings, found: Found) -> dict[str, Any]:
    """What dataset.json says of how it was made.

    "settings" and "photos" decide whether another run would make the same: the photos
    go into it by name, class, split and size, so that nothing need be read for it.
    Photos that are alike in these are told apart by `photo_content`.
    """
    listing = [
        [source.name, source.class_name, source.split, source.num_bytes]
        for source in found.sources
    ]
    return {
        "by": "convert/images_to_tfrecord.py",
        "from": settings.source,
        "settings": {
            "validation_fraction": settings.validation_fraction,
            "test_fraction": settings.test_fraction,
            "num_shards": settings.num_shards,
            "max_side": settings.max_side,
            "bits": settings.bits,
            "seed": settings.seed,
        },
        "class_names": settings.class_names and list(settings.class_names),
        "photos": {
            "number": len(listing),
            "listing_sha256": hashlib.sha256(json.dumps(listing).encode()).hexdigest(),
        },
        "versions": versions("pillow", "tensorflow"),
    }


def check_content(
    info: DatasetInfo, found: Found, dataset_dir: str, *, num_threads: int
) -> None:
    """Compares the content of photos with that of those a dataset was made of.

    Args:
      info: of a finished dataset whose photos have the same names and sizes.
      found: the photos.
      dataset_dir: where the dataset is.
      num_threads: how many photos are read at the same time.

    Raises:
      UserError: a photo has another content.
    """
    recorded = info.made["photos"].get("content_sha256")
    if recorded is None:
        raise UserError(
            f"{dataset_dir} was made of {len(found.sources)} photos of these names and"
            " sizes by an earlier version, which did not note their content, so that"
            " photos replaced since then would go unseen: use the dataset as it is, or"
            " remove it to convert anew"
        )
    if recorded != photo_content.combined_sha256(
        found.sources, {}, num_threads=num_threads
    ):
        raise _another(
            dataset_dir,
            f"it was made from {len(found.sources)} photos of the same names and sizes,"
            " but some have another content now",
        )


def _another(dataset_dir: str, difference: str) -> UserError:
    return UserError(
        f"{dataset_dir} holds another dataset ({difference}): remove it, or choose"
        " another --dataset_dir"
    )


def versions(*packages: str) -> dict[str, str]:
    """The version of each package."""
    return {package: importlib.metadata.version(package) for package in packages}


def read_finished(
    dataset_dir: str, dataset_name: str, made: dict[str, Any]
) -> DatasetInfo | None:
    """The dataset that an earlier, equal run finished in `dataset_dir`.

    Args:
      dataset_dir: where to look.
      dataset_name: what the dataset must be called.
      made: what dataset.json must say of how it was made: "settings", by flag, and
        "photos".

    Returns:
      What its dataset.json says; None when there is none.

    Raises:
      UserError: there is one that differs, in name, settings, photos or files.
    """
    info = dataset_json.read(dataset_dir)
    if info is None:
        return None
    if info.name != dataset_name:
        difference = f"its name is {info.name!r}, not {dataset_name!r}"
    else:
        difference = _difference(info.made, made)
    for split in info.splits.values():
        fault = dataset_json.find_file_fault(dataset_dir, split)
        difference = difference or (fault[1] if fault else "")
    if difference:
        raise _another(dataset_dir, difference)
    return info


def _difference(old: Any, new: dict[str, Any]) -> str:
    """What differs between two conversions, in words; "" if nothing does."""
    settings = old.get("settings", {})
    for flag, value in new["settings"].items():
        if settings.get(flag) != value:
            return f"it was made with --{flag}={settings.get(flag)}, not {value}"
    if old.get("class_names") != new.get("class_names"):
        return "it was made with other --labels_file or --classes_of"
    old_photos, new_photos = old.get("photos", {}), new.get("photos", {})
    if any(old_photos.get(key) != value for key, value in new_photos.items()):
        return (
            f"it was made from {old_photos.get('number')} photos, there are"
            f" {new_photos.get('number')} now, or they have other names, labels, splits"
            " or sizes"
        )
    return ""
