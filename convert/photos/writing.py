"""Writes the TFRecord files of photos, in worker processes where there are many."""

import collections
import concurrent.futures
import functools
from collections.abc import Iterator, Mapping, Sequence

from common.progress import progress
from convert.tfrecords import parallel
from convert.tfrecords.shards import Shard
from datasets.dataset_json import ShardInfo

_SECS_BETWEEN_LOOKS = 0.2


def write_all(
    shards: Sequence[Shard],
    directory: str,
    class_names: Sequence[str],
    *,
    num_workers: int,
    keeps: bool = False,
) -> Iterator[ShardInfo]:
    """Writes files side by side; their bytes depend on the photos alone.

    Args:
      shards: the files.
      directory: folder for them.
      class_names: a photo's label is the index of its class.
      num_workers: number of processes; 0 writes in this one.
      keeps: leaves the files of re-encoded photos.

    Yields:
      What is known of each file once it is written, in the order of `shards`.

    Raises:
      OSError: the disk is full.
      UserError: a photo changed since it was checked, a file cannot be written, or a
        worker process died.
    """
    labels = {name: label for label, name in enumerate(class_names)}
    write = functools.partial(_write, directory=directory, labels=labels, keeps=keeps)
    if not num_workers:
        parallel.load_tensorflow()
        yield from map(write, shards)
        return
    with parallel.processes(num_workers) as workers:
        pending = collections.deque(workers.submit(write, shard) for shard in shards)
        written = progress(
            _counted(workers, set(pending)),
            total=sum(len(shard.photos) for shard in shards),
            desc="writing",
            unit="photo",
        )
        for _ in written:
            while pending and pending[0].done():
                yield pending.popleft().result()
        yield from (future.result() for future in pending)


def _counted(
    workers: parallel.Workers, pending: set[concurrent.futures.Future[ShardInfo]]
) -> Iterator[int]:
    """Yields for each photo that was written, until all are or one of them failed."""
    seen = 0
    while pending:
        done, pending = concurrent.futures.wait(pending, _SECS_BETWEEN_LOOKS)
        for future in done:
            future.result()
        counted = workers.counted
        yield from range(seen, counted)
        seen = counted


def _write(
    shard: Shard, directory: str, labels: Mapping[str, int], keeps: bool
) -> ShardInfo:
    from convert.tfrecords import shard_writer  # TensorFlow

    return shard_writer.write_shard(shard, directory, labels, keeps=keeps)
