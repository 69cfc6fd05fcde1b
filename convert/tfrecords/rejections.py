"""Photos left out of a data set, and why."""

import collections
import dataclasses
import enum
import os
from collections.abc import Iterable, Sequence

from common.atomic_files import atomic_write
from common.untrusted_text import CsvWriter
from datasets.photos import unfit_photos
from datasets.photos.unfit_photos import UnfitPhotoError

FILENAME = "rejected.csv"
MAX_FRACTION = 0.1  # of all photos; more means that something else is wrong


class Kind(enum.Enum):
    """Why a file is left out, as in the summary and in rejected.csv."""

    UNREADABLE = "cannot be read"
    EMPTY = "empty file"
    DAMAGED = "damaged or of an unknown format"
    TOO_LARGE = "absurdly large"
    UNCLEAR_BITS = "of an unclear number of bits"
    TOO_FEW_BITS = "of more bits than --bits"
    CONTRADICTORY = "same photo under two labels"
    DUPLICATE = "same photo in two splits"
    NOT_A_PHOTO = "not a photo"
    MISPLACED = "outside the class folders"

    @classmethod
    def of(cls, error: UnfitPhotoError) -> "Kind":
        """The kind for a photo that the codec refuses."""
        return _KINDS.get(type(error), cls.DAMAGED)

    @property
    def is_fault(self) -> bool:
        """Whether it counts towards --max_rejected_fraction."""
        return self not in (Kind.DUPLICATE, Kind.NOT_A_PHOTO, Kind.MISPLACED)


_KINDS = {
    unfit_photos.UnreadablePhotoError: Kind.UNREADABLE,
    unfit_photos.EmptyPhotoError: Kind.EMPTY,
    unfit_photos.TooLargePhotoError: Kind.TOO_LARGE,
    unfit_photos.TooLargeFileError: Kind.TOO_LARGE,
    unfit_photos.UnclearBitsError: Kind.UNCLEAR_BITS,
    unfit_photos.TooFewBitsError: Kind.TOO_FEW_BITS,
}


@dataclasses.dataclass(frozen=True)
class Rejection:
    """A file that is left out.

    Attributes:
      name: its path in the image folder, or as in the CSV file.
      kind: the kind of reason.
      reason: the full reason.
    """

    name: str
    kind: Kind
    reason: str


def write_csv(directory: str, rejections: Sequence[Rejection]) -> None:
    """Writes rejected.csv: path, kind, reason, whether it is a fault."""
    with atomic_write(os.path.join(directory, FILENAME), "w") as file:
        writer = CsvWriter(file)
        writer.write_row(["path", "kind", "reason", "is_fault"])
        for entry in rejections:
            cells = entry.name, entry.kind.value, entry.reason
            writer.write_row([*cells, int(entry.kind.is_fault)])


def in_order(rejections: Iterable[Rejection]) -> list[Rejection]:
    """Sorted by name, faults first."""
    return sorted(rejections, key=lambda entry: (not entry.kind.is_fault, entry.name))


def count_by_kind(rejections: Sequence[Rejection]) -> dict[Kind, int]:
    """The number of files left out for each kind, in the order of `Kind`."""
    counts = collections.Counter(entry.kind for entry in rejections)
    return {kind: counts[kind] for kind in Kind if counts[kind]}
