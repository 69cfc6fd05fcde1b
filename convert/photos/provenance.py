"""How a data set was made: its entry in dataset.json, to recognize an equal run."""

import concurrent.futures
import hashlib
import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from typing import Any

from common.atomic_files import combined, sha256
from common.progress import progress
from convert.photos.settings import Settings
from convert.photos.sources import Found
from convert.tfrecords.source_photo import Source
from datasets import dataset_json
from datasets.dataset_json import DatasetInfo
from errors import UserError


def entry(settings: Settings, found: Found) -> dict[str, Any]:
    """The entry in dataset.json about how the data set was made.

    "settings" and "photos" determine whether another run would produce the same data
    set: the photos by name, class, split and size, so that none has to be read.
    `check_content` compares photos that agree in these.
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
    """Compares the content of photos with those that a data set was made of.

    Args:
      info: a finished data set whose photos have the same names and sizes.
      found: the photos.
      dataset_dir: the data set's folder.
      num_threads: number of photos read at the same time.

    Raises:
      UserError: a photo's content has changed.
    """
    recorded = info.made["photos"].get("content_sha256")
    if recorded is None:
        raise UserError(
            f"{dataset_dir} was made from {len(found.sources)} photos with these names"
            " and sizes by an earlier version, which did not record their content, so"
            " photos that were replaced since would go unnoticed: use the data set as"
            " it is, or delete it to convert again"
        )
    if recorded != combined_sha256(found.sources, {}, num_threads=num_threads):
        raise _another(
            dataset_dir,
            f"it was made from {len(found.sources)} photos with the same names and"
            " sizes, but the content of some has changed",
        )


def _another(dataset_dir: str, difference: str) -> UserError:
    return UserError(
        f"{dataset_dir} holds another data set ({difference}): delete it, or choose"
        " another --dataset_dir"
    )


def versions(*packages: str) -> dict[str, str]:
    """The version of each package."""
    return {package: importlib.metadata.version(package) for package in packages}


def read_finished(
    dataset_dir: str, dataset_name: str, made: dict[str, Any]
) -> DatasetInfo | None:
    """The data set that an earlier, equal run finished in `dataset_dir`.

    Args:
      dataset_dir: the folder.
      dataset_name: the name that the data set must have.
      made: the entry that its dataset.json must have: "settings", by flag, and
        "photos".

    Returns:
      The content of its dataset.json; None if there is none.

    Raises:
      UserError: there is a data set with another name, settings, photos or files.
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
    """The difference between two conversions, as text; "" if there is none."""
    settings = old.get("settings", {})
    for flag, value in new["settings"].items():
        if settings.get(flag) != value:
            return f"it was made with --{flag}={settings.get(flag)}, not {value}"
    if old.get("class_names") != new.get("class_names"):
        return "it was made with another --labels_file or --classes_of"
    old_photos, new_photos = old.get("photos", {}), new.get("photos", {})
    if any(old_photos.get(key) != value for key, value in new_photos.items()):
        return (
            f"it was made from {old_photos.get('number')} photos, there are"
            f" {new_photos.get('number')} now, or their names, labels, splits or sizes"
            " differ"
        )
    return ""


def combined_sha256(
    sources: Sequence[Source], digests: Mapping[str, str], *, num_threads: int
) -> str:
    """A single SHA-256 of the content of all photos.

    Args:
      sources: the photos.
      digests: known SHA-256 of photos' bytes, by path; the other photos are read.
      num_threads: number of photos read at the same time.
    """
    paths = [source.path for source in sources]
    unread = list(dict.fromkeys(path for path in paths if path not in digests))
    with concurrent.futures.ThreadPoolExecutor(num_threads) as executor:
        read = progress(
            executor.map(_sha256, unread),
            total=len(unread),
            desc="comparing",
            unit="photo",
        )
        known = {**digests, **dict(zip(unread, read, strict=True))}
    return combined(known[path] for path in paths)


def _sha256(path: str) -> str:
    try:
        return sha256(path)
    except OSError as error:
        return f"error {error.errno}"
