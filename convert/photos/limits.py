"""What a conversion of photos may use, and leave out."""

import dataclasses
from collections.abc import Sequence

from convert.tfrecords import parallel
from convert.tfrecords.source_photo import Source

# So many are converted sooner by this process than others load TensorFlow.
_FEW_PHOTOS = 1000
_FEW_BYTES = 64 << 20


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a conversion may use, and leave out.

    Attributes:
      num_workers: number of processes; None takes one per CPU, or none for few photos.
      max_rejected_fraction: the largest accepted fraction of unusable photos.
    """

    num_workers: int | None
    max_rejected_fraction: float

    @property
    def num_threads(self) -> int:
        """For what this process does itself."""
        return self.num_workers or parallel.num_usable_cpus()

    def num_processes(self, photos: Sequence[Source]) -> int:
        """For checking and writing photos; 0 leaves that to this process."""
        num_bytes = sum(photo.num_bytes for photo in photos)
        are_few = len(photos) <= _FEW_PHOTOS and num_bytes <= _FEW_BYTES
        return 0 if are_few and self.num_workers is None else self.num_threads
