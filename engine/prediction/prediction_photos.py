"""The photos to predict, and which of them could not be read."""

import dataclasses
import os
import sys
from collections.abc import Iterator, Sequence

from absl import logging

from common import storage
from common.untrusted_text import first_few, printable
from datasets.photos import photo_files
from datasets.photos.unfit_photos import UnfitPhotoError
from engine.prediction.photo_batches import Arrays, PhotoBatches
from errors import UserError

_MAX_NAMED = 5


@dataclasses.dataclass
class PredictionPhotos:
    """Files to predict. Files that are not photos are skipped, broken ones are faults.

    Attributes:
      paths: each file once, in the order given.
      named: the files given by name, which are taken to be photos.
      num_ignored: number of hidden and system files.
      num_folders: number of folders that a pattern matches.
      faults: a line for each photo or folder that could not be read, in order.
      left_out: files found in folders that are not photos, by name or content.
      num_fit: number of photos that could be read.
      folders: for photos in a subfolder of a given folder, the path of the subfolder,
        such as "cat": their label if folders are classes.
    """

    paths: list[str] = dataclasses.field(default_factory=list)
    named: set[str] = dataclasses.field(default_factory=set)
    num_ignored: int = 0
    num_folders: int = 0
    faults: list[str] = dataclasses.field(default_factory=list)
    left_out: list[str] = dataclasses.field(default_factory=list)
    num_fit: int = 0
    folders: dict[str, str] = dataclasses.field(default_factory=dict)

    def walk(
        self, batches: PhotoBatches
    ) -> Iterator[tuple[str, Arrays | UnfitPhotoError]]:
        """Each photo, in order, with its result or the reason why it cannot be read."""
        for path, answer in batches.run(self.paths):
            if not isinstance(answer, UnfitPhotoError):
                self.num_fit += 1
            elif self._is_no_photo(path, answer):
                self.left_out.append(path)
                continue
            else:
                self.faults.append(f"{path}: {answer}")
            yield path, answer

    def _is_no_photo(self, path: str, error: UnfitPhotoError) -> bool:
        return path not in self.named and photo_files.is_no_photo(path, error)

    def require_some(self) -> None:
        """Raises a UserError if no photo could be read."""
        if self.num_fit:
            return
        unfit = self.faults or [f"{path}: not a photo" for path in self.left_out]
        first = f"the first of {len(unfit)} is " if len(unfit) > 1 else ""
        raise UserError(f"no photo can be read: {first}{printable(unfit[0])}")

    def report(self) -> None:
        """Reports what could not be read, and what was skipped."""
        for line in self.faults:
            print(f"error: {printable(line)}", file=sys.stderr)
        if self.num_ignored:
            logging.info("Ignored %d hidden and system files", self.num_ignored)
        if self.num_folders:
            logging.warning(
                "Skipped: %d folders that match a pattern; end it in /** for the files"
                " in them",
                self.num_folders,
            )
        if self.left_out:
            logging.warning(
                "Skipped: %d × not a photo: %s",
                *(len(self.left_out), first_few(self.left_out, _MAX_NAMED)),
            )


def find(where: Sequence[str]) -> PredictionPhotos:
    """Finds the photos to predict, each once, in the order given.

    Raises:
      UserError: nothing is given, or a folder or pattern has no photos.
    """
    if not where:
        raise UserError("no photos: give files, folders or patterns after the flags")
    photos = PredictionPhotos()
    paths: dict[str, None] = {}
    for one in where:
        if storage.is_object(one):
            raise UserError(
                f"{one}: photos are read from folders of this machine: copy them there"
                " first, or mount the bucket"
            )
        found = photo_files.find(one)
        photos.faults += [f"{path}: {reason}" for path, reason in found.unreadable]
        if not found.paths:
            raise UserError(f"{one}: no photos found; give another folder or pattern")
        if found.is_named:
            photos.named.update(found.paths)
        elif os.path.isdir(one):
            within = {p: os.path.dirname(os.path.relpath(p, one)) for p in found.paths}
            photos.folders |= {path: name for path, name in within.items() if name}
        photos.num_ignored += found.num_ignored
        photos.num_folders += found.num_folders
        paths.update(dict.fromkeys(found.paths))
    photos.paths = list(paths)
    return photos
