"""The settings that determine the content of a data set, besides the photos."""

import dataclasses
import os
import re

from common import storage
from errors import UserError


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything that determines the content of a data set, besides the photos.

    Attributes:
      image_dir: the folder of photos, or the one that paths in `csv_file` start from.
      csv_file: a list of photos, instead of folders.
      dataset_dir: folder for the data set.
      dataset_name: its name.
      validation_fraction: the share of the photos; None is 0.2, or 0 if they are
        divided already.
      test_fraction: the share of the photos; None is 0.
      num_shards: TFRecord files per split.
      max_side: photos with a longer side are shrunk to it, in pixels; 0 shrinks none.
      bits: see `deep_photo.reduce`.
      seed: determines splits and order.
      classes: which folders are classes, as in `folder_layout.read`.
      splits: where the splits are, as in `folder_layout.read`; "none" applies to
        `csv_file`, too.
      csv_split_column: the column of `csv_file` that holds the splits.
      class_names: by label; None takes those of the photos, sorted.
    """

    image_dir: str | None
    csv_file: str | None
    dataset_dir: str
    dataset_name: str
    validation_fraction: float | None = None
    test_fraction: float | None = None
    num_shards: int = 5
    max_side: int = 0
    bits: int | None = None
    seed: int = 0
    classes: str | None = None
    splits: str | None = None
    csv_split_column: str | None = None
    class_names: tuple[str, ...] | None = None

    @property
    def source(self) -> str:
        """The CSV file or folder of the photos."""
        return self.csv_file or self.image_dir or ""

    def check(self) -> None:
        """Raises a UserError for missing or contradictory settings."""
        if not self.source:
            raise UserError("no photos: give --image_dir=FOLDER or --csv_file=FILE")
        away = "copy the photos here first, or mount the bucket"
        storage.require_local(self.image_dir, flag="image_dir", instead=away)
        storage.require_local(self.csv_file, flag="csv_file", instead=away)
        if not self.dataset_dir:
            raise UserError("--dataset_dir is missing: the folder for the data set")
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", self.dataset_name or ""):
            raise UserError(
                f"--dataset_name={self.dataset_name or ''}: give a name made of"
                " letters, digits, '_', '-' and '.', as in --dataset_name=stamps"
            )
        self._check_fractions()
        if self.csv_file and (self.classes or self.splits not in (None, "none")):
            flag = "classes" if self.classes else "splits"
            raise UserError(
                f"--{flag}={self.classes or self.splits} is about folders, but"
                " --csv_file lists the photos: omit one of them"
            )
        if self.csv_split_column and (not self.csv_file or self.splits):
            raise UserError(
                f"--csv_split_column={self.csv_split_column} needs --csv_file and no"
                " --splits"
            )
        is_away = storage.is_object(self.dataset_dir)
        if self.image_dir and not self.csv_file and not is_away:
            photos, output = map(os.path.realpath, (self.image_dir, self.dataset_dir))
            if os.path.commonpath([photos, output]) == photos:
                raise UserError(
                    f"--dataset_dir={self.dataset_dir} lies in --image_dir, where it"
                    " would be taken for a class: choose a folder outside"
                )

    def _check_fractions(self) -> None:
        share = (self.validation_fraction or 0) + (self.test_fraction or 0)
        if share > 1 or (share == 1 and not self.class_names):
            raise UserError(
                f"--validation_fraction={self.validation_fraction or 0} and"
                f" --test_fraction={self.test_fraction or 0} leave nothing to train on:"
                " their sum must be below 1, or 1 with --classes_of or --labels_file"
            )
