"""A feature cache that several machines fill, and the chief puts together.

The rows of a batch of `input_pipeline.eval_batches` are a block. Block b of a view is
computed by machine b mod N, into a file that appears whole; the chief appends the
blocks to the cache in order and removes their files. A block that is there already is
used, whatever N was when it was made, and one that does not come is computed by the
chief.
"""

import contextlib
import glob
import os
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from absl import logging

from cluster.cluster import Cluster
from common.atomic_files import atomic_write
from engine.feature_cache import feature_files
from engine.feature_cache.feature_cache import LabeledFeatures
from engine.feature_cache.feature_files import Kind

_SECS_BETWEEN_LOOKS = 0.02

# (first row, part) → the blocks of a machine, see `input_pipeline.eval_batches`
ComputeBlocks = Callable[[int, tuple[int, int]], Iterator[LabeledFeatures]]


class SharedFilling:
    """The blocks of one cache."""

    def __init__(
        self,
        folder: str,
        kinds: Sequence[Kind],
        compute: ComputeBlocks,
        *,
        num_examples: int,
        batch_size: int,
        cluster: Cluster,
        patience_secs: float,
    ) -> None:
        """Computes nothing yet.

        Args:
          folder: the folder of the cache, shared by all machines.
          kinds: the kinds of the arrays, labels last.
          compute: computes blocks.
          num_examples: rows of a view.
          batch_size: rows of a block; the last of a view may have fewer.
          cluster: the machines.
          patience_secs: how long the chief waits for a block.
        """
        self._folder = folder
        self._kinds = list(kinds)
        self._compute = compute
        self._num_examples = num_examples
        self._batch_size = batch_size
        self._cluster = cluster
        self._patience_secs = patience_secs

    def help(self) -> None:
        """Computes this machine's blocks that the chief does not have."""
        done = feature_files.rows_done(self._folder) or 0
        for rows, block in self._own_blocks(done):
            done = feature_files.rows_done(self._folder) or done
            if rows.stop > done and not os.path.exists(self._path(rows)):
                self._write(rows, block)

    def blocks(self, num_done: int) -> Iterator[LabeledFeatures]:
        """All rows from number `num_done` on, in order, for the chief."""
        own = self._own_blocks(num_done)
        absent: set[int] = set()
        for rows, owner in self._all_blocks():
            if rows.stop <= num_done:
                continue
            if owner == self._cluster.rank:
                features, labels = next(b for found, b in own if found == rows)
            else:
                features, labels = self._received(rows, owner, absent)
            after = max(0, num_done - rows.start)
            yield [feature[after:] for feature in features], labels[after:]
        for path in glob.glob(os.path.join(glob.escape(self._folder), "rows-*")):
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)

    def _all_blocks(self) -> Iterator[tuple[range, int]]:
        """The rows of every block, and who computes them."""
        num_rows, num_examples = self._kinds[0][0][0], self._num_examples
        for view in range(0, num_rows, num_examples):
            firsts = range(view, view + num_examples, self._batch_size)
            for number, first in enumerate(firsts):
                stop = min(first + self._batch_size, view + num_examples)
                yield range(first, stop), number % self._cluster.size

    def _own_blocks(self, num_done: int) -> Iterator[tuple[range, LabeledFeatures]]:
        """This machine's blocks from a multiple of N before a row on."""
        view, place = divmod(num_done, self._num_examples)
        round_of_all = self._batch_size * self._cluster.size
        first = view * self._num_examples + place // round_of_all * round_of_all
        rank, size = self._cluster.rank, self._cluster.size
        mine = (r for r, owner in self._all_blocks() if owner == rank and r[0] >= first)
        return zip(mine, self._compute(first, (rank, size)), strict=False)

    def _received(self, rows: range, owner: int, absent: set[int]) -> LabeledFeatures:
        """A block that another machine computes, or else this one."""
        ends_at = time.monotonic() + (0 if owner in absent else self._patience_secs)
        while (block := self._read(rows)) is None and time.monotonic() < ends_at:
            time.sleep(_SECS_BETWEEN_LOOKS)
        if block is not None:
            os.remove(self._path(rows))
            return block
        if owner not in absent:
            absent.add(owner)
            logging.warning(
                "no features from machine %s for %g s: computing its share here",
                *(self._cluster.name(owner), self._patience_secs),
            )
        return next(self._compute(rows.start, (0, 1)))

    def _path(self, rows: range) -> str:
        return os.path.join(self._folder, f"rows-{rows.start}-{rows.stop}")

    def _write(self, rows: range, block: LabeledFeatures) -> None:
        with atomic_write(self._path(rows), "wb") as file:
            for part, (_, dtype) in zip(
                (*block[0], block[1]), self._kinds, strict=True
            ):
                file.write(np.ascontiguousarray(part, dtype).tobytes())

    def _read(self, rows: range) -> LabeledFeatures | None:
        """A block's arrays; None where it is not there."""
        try:
            with open(self._path(rows), "rb") as file:
                content = file.read()
        except FileNotFoundError:
            return None
        parts: list[np.ndarray] = []
        at = 0
        for (_, *shape), dtype in self._kinds:
            part_shape = (len(rows), *shape)
            count = int(np.prod(part_shape))
            parts.append(np.frombuffer(content, dtype, count, at).reshape(part_shape))
            at += count * np.dtype(dtype).itemsize
        return parts[:-1], parts[-1]
