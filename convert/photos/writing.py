"""Writes the TFRecord files of photos, in worker processes where there are many."""

import collections
import concurrent.futures
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

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
      What is known of each file once it is written, in no particular order.

    Raises:
      OSError: the disk is full.
      UserError: a photo changed since it was checked, a file cannot be written, or a
        worker process died.
    """
    if not shards:
        return
    write = functools.partial(
        _write,
        directory=directory,
        labels={name: label for label, name in enumerate(class_names)},
        keeps=keeps,
        num_readers=max(1, num_workers // len(shards)),
    )
    if not num_workers:
        parallel.load_tensorflow()
        yield from map(write, shards)
        return
    with parallel.processes(num_workers) as workers:
        written: collections.deque[ShardInfo] = collections.deque()
        photos = progress(
            _photos_written(workers, num_workers, write, shards, written),
            total=sum(len(shard.photos) for shard in shards),
            desc="writing",
            unit="photo",
        )
        for _ in photos:
            while written:
                yield written.popleft()
        yield from written


def _photos_written(
    workers: parallel.Workers,
    num_workers: int,
    write: Callable[[Shard], ShardInfo],
    shards: Iterable[Shard],
    written: collections.deque[ShardInfo],
) -> Iterator[int]:
    """Yields for each photo that was written, and adds finished files to `written`.

    No shard waits in the queue to the workers: as large as it is, it would fill it, and
    the pool could not be ended (https://github.com/python/cpython/issues/94777).
    """
    rest = iter(shards)
    pending = {
        workers.submit(write, shard) for shard in itertools.islice(rest, num_workers)
    }
    seen = 0
    while pending:
        done, pending = concurrent.futures.wait(
            pending, _SECS_BETWEEN_LOOKS, concurrent.futures.FIRST_COMPLETED
        )
        written.extend(future.result() for future in done)
        pending |= {
            workers.submit(write, shard) for shard in itertools.islice(rest, len(done))
        }
        counted = workers.counted
        yield from range(seen, counted)
        seen = counted


def _write(shard: Shard, **options: Any) -> ShardInfo:
    from convert.tfrecords import shard_writer  # TensorFlow

    return shard_writer.write_shard(shard, **options)
