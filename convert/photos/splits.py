"""The split of each photo: a pure function of its bytes and the seed.

A photo without a given split is assigned by a number in [0, 1), made from the SHA-256
of seed and file content: below `test` to the test split, below `test + validation` to
the validation split, otherwise to the training split. Nothing else matters, so adding
or removing photos moves no others, and copies of a file stay together. The fractions
hold approximately in each class, the better the larger it is. With one exception: a
class without training photos gets the one with the largest number, until photos are
added that are assigned to training.
"""

import collections
import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence

from convert.photos.split_names import SPLITS
from convert.tfrecords.rejections import Kind, Rejection
from convert.tfrecords.source_photo import Checked


@dataclasses.dataclass(frozen=True)
class Fractions:
    """The fractions of the photos without a given split for validation and test."""

    validation: float
    test: float


def split_by_content(digest: str, seed: int, fractions: Fractions) -> str:
    """The split of a photo without a given one."""
    number = _number(seed, "split", digest)
    if number < fractions.test:
        return "test"
    return "validation" if number < fractions.test + fractions.validation else "train"


def shuffle_key(photo: Checked, seed: int) -> tuple[float, str]:
    """A sort key that puts the photos of a split in random order."""
    return _number(seed, "order", photo.digest), photo.source.name


def _number(seed: int, purpose: str, digest: str) -> float:
    hashed = hashlib.sha256(f"{seed}:{purpose}:{digest}".encode()).digest()
    return int.from_bytes(hashed[:6], "big") / 2**48  # exact in a float


def assign(
    photos: Iterable[Checked], *, seed: int, fractions: Fractions
) -> tuple[dict[str, list[Checked]], list[Rejection]]:
    """Divides photos into splits, and rejects misleading copies.

    Copies of a file with two labels are all rejected, since any may be wrong. Of copies
    in two splits, only those in the later one of train, validation and test are used,
    so that no photo is both trained on and evaluated. A copy without a given split goes
    where the others are.

    Args:
      photos: the usable photos.
      seed: determines splits and order.
      fractions: for photos without a given split.

    Returns:
      The photos of each split in their order in the TFRecords, without empty splits;
      and the rejected photos.
    """
    copies: dict[str, list[Checked]] = collections.defaultdict(list)
    for photo in photos:
        copies[photo.digest].append(photo)
    splits: dict[str, list[Checked]] = {split: [] for split in SPLITS}
    kept = _kept_for_training(copies, seed, fractions)
    rejections: list[Rejection] = []
    for digest, group in copies.items():
        if len({photo.source.class_name for photo in group}) > 1:
            rejections += _contradictory(group)
            continue
        given = {photo.source.split for photo in group if photo.source.split}
        if given:
            split = max(given, key=SPLITS.index)
        elif digest in kept:
            split = "train"
        else:
            split = split_by_content(digest, seed, fractions)
        for photo in group:
            if photo.source.split in (None, split):
                splits[split].append(photo)
            else:
                reason = f"the same bytes are in {photo.source.split} and {split}"
                rejections.append(
                    Rejection(
                        photo.source.name,
                        Kind.DUPLICATE,
                        f"{reason}: used in the latter",
                    )
                )
    ordered = {
        split: sorted(group, key=lambda photo: shuffle_key(photo, seed))
        for split, group in splits.items()
        if group
    }
    return ordered, rejections


def _kept_for_training(
    copies: Mapping[str, Sequence[Checked]], seed: int, fractions: Fractions
) -> set[str]:
    """Digests of the photos that keep a class in training, one per class.

    It is the photo whose number is nearest to training; in all but tiny classes that is
    a training photo anyway. There is none if there is no training split, or if the
    class has given training photos.
    """
    if fractions.validation + fractions.test >= 1:
        return set()
    trained: set[str] = set()
    best: dict[str, tuple[float, str]] = {}
    for digest, group in copies.items():
        name, *others = {photo.source.class_name for photo in group}
        given = {photo.source.split for photo in group} - {None}
        if others:
            continue
        if given == {"train"}:
            trained.add(name)
        elif not given:
            entry = _number(seed, "split", digest), digest
            best[name] = max(best.get(name, entry), entry)
    return {digest for name, (_, digest) in best.items() if name not in trained}


def _contradictory(group: Sequence[Checked]) -> list[Rejection]:
    uses = [f"{photo.source.name!r} ({photo.source.class_name!r})" for photo in group]
    return [
        Rejection(
            photo.source.name,
            Kind.CONTRADICTORY,
            f"the same photo is {' and '.join(uses)}: keep the right one",
        )
        for photo in group
    ]
