"""dataset.json: a dataset that describes itself, so that no code needs to know it.

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
from collections.abc import Mapping
from typing import Any

from common.atomic_files import atomic_write
from errors import UserError

FILENAME = "dataset.json"
FORMAT_VERSION = 1


@dataclasses.dataclass(frozen=True)
class ShardInfo:
    """One TFRecord file: its name, how many records, its size and its SHA-256."""

    file: str
    records: int
    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class SplitInfo:
    """One split: its examples, how many of each class, its files."""

    num_examples: int
    class_counts: tuple[int, ...]
    shards: tuple[ShardInfo, ...]


@dataclasses.dataclass(frozen=True)
class DatasetInfo:
    """All that dataset.json says.

    Attributes:
      name: what `--dataset_name` must say.
      classes: the class names by label, exactly as they are.
      splits: by name.
      num_channels: 3 (RGB) or 1 (grey), as images are decoded.
      made: how the dataset was made; readers of examples ignore it.
      bits: as how many a channel photos of more than 8 bits were read that do not say
        it; new photos are to be read in the same way. None where there were none.
    """

    name: str
    classes: tuple[str, ...]
    splits: Mapping[str, SplitInfo]
    num_channels: int = 3
    made: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    bits: int | None = None


def write(dataset_dir: str, info: DatasetInfo) -> None:
    """Writes `info` as dataset.json of the directory."""
    content = {"format_version": FORMAT_VERSION, **dataclasses.asdict(info)}
    with atomic_write(os.path.join(dataset_dir, FILENAME), "w") as file:
        json.dump(content, file, indent=1)
        file.write("\n")


def read(dataset_dir: str) -> DatasetInfo | None:
    """Reads and checks dataset.json; None when the directory has none.

    Raises:
      UserError: the file is not what `write` writes: it names the field.
    """
    path = os.path.join(dataset_dir, FILENAME)
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UserError(
            f"{path} is not JSON ({error}): convert the photos again"
        ) from error
    return _Reader(path).dataset(content)


def find_file_fault(dataset_dir: str, split: SplitInfo) -> tuple[str, str] | None:
    """Looks for a file of a split that is absent or not of the size it was written in.

    Returns:
      The path of the first such file and a sentence about it, or None.
    """
    for shard in split.shards:
        path = os.path.join(dataset_dir, shard.file)
        if not os.path.isfile(path):
            return path, (
                f"{path} is missing, one of the {len(split.shards)} files that"
                " dataset.json lists for its split: put it back, or convert again"
            )
        size = os.path.getsize(path)
        if size != shard.bytes:
            return path, (
                f"{path} has {size} bytes where dataset.json says {shard.bytes}: put"
                " the whole file back, or convert again"
            )
    return None


class _Reader:
    """Turns parsed JSON into records, naming the field that is wrong."""

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
            " mend it, or convert the photos again"
        )
