"""What the tasks of a conversion have checked and written, until all of it is there.

The parts lie in `.NAME.parts-…` in the folder of the data set, which readers of data
sets ignore. A part has its final name when it is whole, and depends on the photos and
settings alone: a task that starts again, or another number of tasks, goes on from them.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

from cluster.shares import Share, missing_of
from common.atomic_files import atomic_write, scratch_directory
from convert.photos.division import Result
from convert.tfrecords import staging
from convert.tfrecords.rejections import Kind, Rejection
from convert.tfrecords.shards import Shard
from convert.tfrecords.source_photo import Checked, Source
from datasets.dataset_json import FILENAME, ShardInfo
from datasets.photos.deep_photo import Depth

_BLOCK = 256  # photos: what a task that is killed checks again


class SharedConversion:
    """The parts of one conversion.

    Attributes:
      folder: holds the parts.
    """

    def __init__(
        self, dataset_dir: str, name: str, made: Mapping[str, Any], share: Share
    ) -> None:
        """Makes the folder.

        Args:
          dataset_dir: the folder of the data set, which all tasks share.
          name: the name of the data set.
          made: the `made` of its dataset.json: settings and photos, which tell its
            parts from those of others.
          share: this task's.
        """
        text = json.dumps(made, sort_keys=True).encode()
        identity = hashlib.sha256(text).hexdigest()[:12]
        self.folder = os.path.join(dataset_dir, f".{name}.parts-{identity}")
        self._share = share
        self._spill = os.path.join(self.folder, staging.SPILL)
        for folder in (self._spill, self.publish_dir):
            os.makedirs(folder, exist_ok=True)

    @property
    def publish_dir(self) -> str:
        """Where the files of the data set are until all are there."""
        return os.path.join(self.folder, staging.PUBLISH)

    @property
    def is_being_published(self) -> bool:
        """Whether all parts are there, and some may have been moved out already."""
        return os.path.exists(os.path.join(self.publish_dir, FILENAME))

    @contextlib.contextmanager
    def first_task_alone(self) -> Iterator[None]:
        """Refuses a second command that has the first task's work."""
        if not self._share.is_first:
            yield
            return
        with staging.locked(self.folder):
            yield

    def check(
        self,
        sources: Sequence[Source],
        check: Callable[[Sequence[int], str], Generator[Result, None, None]],
    ) -> list[Result]:
        """Checks this task's photos, and waits for the results of the others.

        Args:
          sources: all photos.
          check: from numbers of photos, and the folder for those that are re-encoded,
            to their results in order.

        Returns:
          The results of all photos, in order.
        """
        starts = range(0, len(sources), _BLOCK)
        blocks = [range(len(sources))[at : at + _BLOCK] for at in starts]
        mine = [n for n in self._missing_blocks(blocks) if self._share.holds(n)]
        chosen = [n for block in mine for n in blocks[block]]
        with contextlib.closing(check(chosen, self._spill)) as results:
            for block in mine:
                of_block = [_as_json(next(results)) for _ in blocks[block]]
                with atomic_write(self._block_path(block), "w") as file:
                    json.dump(of_block, file)
        self._share.wait_for(lambda: self._missing_blocks(blocks), "checked photos")
        found: list[Result] = []
        for block, numbers in enumerate(blocks):
            with open(self._block_path(block), encoding="utf-8") as file:
                pairs = zip(numbers, json.load(file), strict=True)
            found += [_result(one, sources[n], self._spilled(n)) for n, one in pairs]
        return found

    def _missing_blocks(self, blocks: Sequence[range]) -> list[int]:
        return missing_of([self._block_path(number) for number in range(len(blocks))])

    def _block_path(self, block: int) -> str:
        return os.path.join(self.folder, f"checked-{block:06d}.json")

    def _spilled(self, photo: int) -> str:
        return os.path.join(self._spill, str(photo))

    def write(
        self,
        shards: Sequence[Shard],
        write: Callable[[Sequence[Shard], str], Iterator[ShardInfo]],
    ) -> list[ShardInfo]:
        """Writes this task's files, and as the first task waits for all others.

        Args:
          shards: all files.
          write: writes files into a folder, and yields what is known of each.

        Returns:
          What is known of all files, in order; nothing in other tasks than the first.
        """
        missing = self._missing_files(shards)
        mine = [shards[number] for number in missing if self._share.holds(number)]
        with scratch_directory(self.folder, f"task-{self._share.task}") as aside:
            for info in write(mine, aside):
                written = os.path.join(aside, info.file)
                os.replace(written, os.path.join(self.publish_dir, info.file))
                with atomic_write(self._info_path(info.file), "w") as file:
                    json.dump(dataclasses.asdict(info), file)
        if not self._share.is_first:
            return []
        self._share.wait_for(lambda: self._missing_files(shards), "TFRecord files")
        return [self._info(shard.filename) for shard in shards]

    def _missing_files(self, shards: Sequence[Shard]) -> list[int]:
        return missing_of([self._info_path(shard.filename) for shard in shards])

    def _info_path(self, name: str) -> str:
        return os.path.join(self.folder, f"written-{name}.json")

    def _info(self, name: str) -> ShardInfo:
        with open(self._info_path(name), encoding="utf-8") as file:
            return ShardInfo(**json.load(file))

    def finish(self, dataset_dir: str) -> None:
        """Moves the data set out of the folder, and removes it."""
        staging.publish_dataset(self.folder, dataset_dir)
        shutil.rmtree(self.folder, ignore_errors=True)


def _as_json(result: Result) -> dict[str, Any]:
    if isinstance(result, Rejection):
        return {"rejected": [result.name, result.kind.name, result.reason]}
    values = dataclasses.asdict(result)
    del values["source"]
    return values | {"encoded_path": result.encoded_path is not None}


def _result(values: Mapping[str, Any], source: Source, spilled: str) -> Result:
    if "rejected" in values:
        name, kind, reason = values["rejected"]
        return Rejection(name, Kind[kind], reason)
    depth = values["depth"]
    return Checked(
        source,
        **{
            **values,
            "encoded_path": spilled if values["encoded_path"] else None,
            "depth": Depth(**depth) if depth else None,
        },
    )
