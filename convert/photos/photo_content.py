"""Whether photos have the content that they had: one checksum of them all."""

import concurrent.futures
from collections.abc import Mapping, Sequence

from common.atomic_files import combined, sha256
from common.progress import progress
from convert.tfrecords.source_photo import Source


def combined_sha256(
    sources: Sequence[Source], digests: Mapping[str, str], *, num_threads: int
) -> str:
    """One SHA-256 of the content of all photos.

    Args:
      sources: the photos.
      digests: the SHA-256 of a photo's bytes by its path, where it is known; the other
        photos are read.
      num_threads: how many are read at the same time.
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
