"""dataset.json: a data set that describes itself, so that no code needs to know it.

{"format_version": 1, "name": "stamps", "classes": ["bird", "boat"],
 "num_channels": 3,
 "splits": {"train": {"num_examples": 7, "class_counts": [4, 3], "shards": [
    {"file": "stamps_train_00000-of-00001.tfrecord",
     "records": 7, "bytes": 81920, "sha256": "…"}]}},
 "made": {…how, for people and for the converter…}}
"""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from common import storage
from common.atomic_files import atomic_write
from datasets import labels
from errors import UserError

FILENAME = "dataset.json"
FORMAT_VERSION = 1


@dataclasses.dataclass(frozen=True)
class ShardInfo:
    """One TFRecord file: its name, number of records, size and SHA-256."""

    file: str
    records: int
    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class SplitInfo:
    """One split: its number of examples, in total and by class, and its files."""

    num_examples: int
    class_counts: tuple[int, ...]
    shards: tuple[ShardInfo, ...]


@dataclasses.dataclass(frozen=True)
class DatasetInfo:
    """The contents of dataset.json.

    Attributes:
      name: the `--dataset_name` of the data set.
      classes: class names by label, unescaped.
      splits: by name.
      num_channels: 3 (RGB) or 1 (grayscale), as images are decoded.
      made: how the data set was made; readers of records ignore it.
      bits: bits per channel at which photos of more than 8 bits were read whose files
        do not state them; new photos are to be read the same way. None if there were
        none.
    """

    name: str
    classes: tuple[str, ...]
    splits: Mapping[str, SplitInfo]
    num_channels: int = 3
    made: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    bits: int | None = None


def write(dataset_dir: str, info: DatasetInfo) -> None:
    """Writes `info` to dataset.json in the directory."""
    content = {"format_version": FORMAT_VERSION, **dataclasses.asdict(info)}
    with atomic_write(os.path.join(dataset_dir, FILENAME), "w") as file:
        json.dump(content, file, indent=1)
        file.write("\n")


def read(dataset_dir: str, filename: str = FILENAME) -> DatasetInfo | None:
    """Reads and checks dataset.json; None if the directory has none.

    Raises:
      UserError: the file is not as `write` writes it; the message names the field.
    """
    path = os.path.join(dataset_dir, filename)
    try:
        with storage.open_text(path) as file:
            content = json.load(file)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UserError(
            f"{path} is not JSON ({error}): convert the photos again"
        ) from error
    return _Reader(path).dataset(content)


def find_file_fault(dataset_dir: str, split: SplitInfo) -> tuple[str, str] | None:
    """Looks for a file of a split that is missing or has changed in size.

    Returns:
      The path of the first such file and the message about it, or None.
    """
    for shard in split.shards:
        path = os.path.join(dataset_dir, shard.file)
        if not storage.is_file(path):
            return path, (
                f"{path} is missing, one of the {len(split.shards)} files that"
                " dataset.json lists for its split: put it back, or convert again"
            )
        size = storage.size(path)
        if size != shard.bytes:
            return path, (
                f"{path} has {size} bytes where dataset.json says {shard.bytes}: put"
                " the whole file back, or convert again"
            )
    return None


def check_labels(dataset_dir: str, info: DatasetInfo) -> None:
    """Checks that labels.txt, if there is one, names the classes of dataset.json.

    Raises:
      UserError: it was changed after the conversion.
    """
    listed = labels.read(dataset_dir)
    if listed and listed != info.classes:
        raise UserError(_contradicting_labels(dataset_dir, listed, info.classes))


def _contradicting_labels(
    dataset_dir: str, listed: Sequence[str], classes: Sequence[str]
) -> str:
    """The message about a labels.txt that was changed after the conversion."""
    pairs = zip(listed, classes, strict=False)
    place = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
    if place is None:
        difference = f"{len(listed)} classes instead of {len(classes)}"
    else:
        difference = f"class {place} {listed[place]!r} instead of {classes[place]!r}"
    path = os.path.join(dataset_dir, labels.FILENAME)
    return (
        f"{path} has {difference} as in {FILENAME}, which is what the records"
        f" were written with: correct {labels.FILENAME} or remove it (to rename"
        " classes, change both files; to reorder them, convert again)"
    )


class _Reader:
    """Turns parsed JSON into dataclasses, naming any field that is wrong."""

    def __init__(self, path: str):
        self._path = path

    def dataset(self, content: Any) -> DatasetInfo:
        version = self._field(content, "", "format_version", int)
        if version != FORMAT_VERSION:
            raise UserError(
                f"{self._path} has format_version {version}, this program reads"
                f" {FORMAT_VERSION}: use the release that wrote it, or convert again"
            )
        classes = self._field(content, "", "classes", list)
        if not classes or not all(isinstance(name, str) for name in classes):
            raise self._wrong("classes", "a list of names")
        splits = self._field(content, "", "splits", dict)
        num_channels = self._field(content, "", "num_channels", int)
        if num_channels not in (1, 3):
            raise self._wrong("num_channels", "1 or 3")
        return DatasetInfo(
            name=self._field(content, "", "name", str),
            classes=tuple(classes),
            splits={
                name: self._split(split, f"splits.{name}", len(classes))
                for name, split in splits.items()
            },
            num_channels=num_channels,
            made=self._field({"made": {}} | content, "", "made", dict),
            bits=self._bits(content),
        )

    def _bits(self, content: Any) -> int | None:
        bits = content.get("bits")
        if bits is not None and bits not in range(8, 17):
            raise self._wrong("bits", "8 to 16, or null")
        return bits

    def _split(self, content: Any, where: str, num_classes: int) -> SplitInfo:
        shards = self._field(content, where, "shards", list)
        split = SplitInfo(
            num_examples=self._field(content, where, "num_examples", int),
            class_counts=self._counts(content, where),
            shards=tuple(
                self._shard(shard, f"{where}.shards[{index}]")
                for index, shard in enumerate(shards)
            ),
        )
        if len(split.class_counts) != num_classes:
            raise self._wrong(f"{where}.class_counts", f"{num_classes} numbers")
        if sum(split.class_counts) != split.num_examples:
            raise self._wrong(
                f"{where}.class_counts", "numbers adding up to num_examples"
            )
        if sum(shard.records for shard in split.shards) != split.num_examples:
            raise self._wrong(f"{where}.shards", "records adding up to num_examples")
        return split

    def _counts(self, content: Any, where: str) -> tuple[int, ...]:
        counts = self._field(content, where, "class_counts", list)
        if not all(isinstance(count, int) and count >= 0 for count in counts):
            raise self._wrong(f"{where}.class_counts", "numbers from 0 up")
        return tuple(counts)

    def _shard(self, content: Any, where: str) -> ShardInfo:
        name = self._field(content, where, "file", str)
        if os.path.basename(name) != name:
            raise self._wrong(f"{where}.file", "a file name without a directory")
        records = self._field(content, where, "records", int)
        if records < 0:
            raise self._wrong(f"{where}.records", "a number from 0 up")
        return ShardInfo(
            file=name,
            records=records,
            bytes=self._field(content, where, "bytes", int),
            sha256=self._field(content, where, "sha256", str),
        )

    def _field(self, content: Any, where: str, key: str, kind: type) -> Any:
        value = content.get(key) if isinstance(content, dict) else None
        if not isinstance(value, kind):
            raise self._wrong(f"{where}.{key}".lstrip("."), f"a {kind.__name__}")
        return value

    def _wrong(self, field: str, expected: str) -> UserError:
        return UserError(
            f"{self._path}: field {field!r} is absent or wrong, expected {expected}:"
            " repair it, or convert the photos again"
        )
