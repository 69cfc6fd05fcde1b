"""The data of a fine-tuning: a data set, or photos to convert."""

import dataclasses
import os
import re

from common import storage
from config.shared_options import DataOptions
from convert.photos import conversion
from convert.photos.settings import Settings
from convert.tfrecords import rejections
from datasets import dataset_json
from errors import UserError
from fine_tuning.commands import Command

_FOLDER = "data"


@dataclasses.dataclass(frozen=True)
class PhotoData:
    """Where the data is, or how it is made.

    Attributes:
      dataset_name: name of the data set.
      dataset_dir: folder of the TFRecords.
      settings: the settings of the conversion that makes it; None if it exists already.
    """

    dataset_name: str
    dataset_dir: str
    settings: Settings | None = None

    @property
    def command(self) -> Command | None:
        """The conversion as a command; None without one."""
        if self.settings is None:
            return None
        flag = "csv_file" if self.settings.csv_file else "image_dir"
        return Command(
            "convert/images_to_tfrecord.py",
            (
                f"--{flag}={self.settings.source}",
                f"--dataset_dir={self.dataset_dir}",
                f"--dataset_name={self.dataset_name}",
            ),
        )

    def in_folder(self, folder: str) -> "PhotoData":
        """The same photos, converted into another folder."""
        if self.settings is None:
            return self
        settings = dataclasses.replace(self.settings, dataset_dir=folder)
        return PhotoData(self.dataset_name, folder, settings)

    def convert(self) -> None:
        """Converts the photos unless they are converted already.

        Raises:
          UserError: they cannot be converted, or other photos were converted here.
        """
        if self.settings:
            conversion.convert(
                self.settings,
                num_workers=None,
                max_rejected_fraction=rejections.MAX_FRACTION,
                shows_next=False,
            )


def find(photos: list[str], data: DataOptions, output_dir: str) -> PhotoData:
    """Finds what the command line names: photos, a CSV file, or a data set.

    Args:
      photos: the arguments that are not flags.
      data: the options.
      output_dir: where a conversion may write.

    Raises:
      UserError: there is none, or more than one, or it does not exist.
    """
    if len(photos) > 1:
        raise UserError(
            f"{len(photos)} folders of photos are given, {photos[0]!r} and"
            f" {photos[1]!r} first: give one, with a folder for each class inside"
        )
    if photos and data.dataset_dir:
        raise UserError(
            f"{photos[0]!r} and --dataset_dir={data.dataset_dir} both name the data:"
            " leave one of them out"
        )
    if not photos:
        if not data.dataset_dir:
            raise UserError(
                "no photos: name a folder that holds a folder for each class, a CSV"
                " file, or a converted data set, as in fine_tune.py photos/"
            )
        return _converted(data.dataset_dir) or PhotoData(
            data.dataset_name, data.dataset_dir
        )
    (path,) = photos
    if storage.is_folder(path) and (converted := _converted(path)):
        return converted
    if storage.is_object(path):
        raise UserError(
            f"{path} is no converted data set, and photos are read from a disk: copy"
            " them here first, or mount the bucket"
        )
    if os.path.isdir(path):
        _require_outside(path, output_dir)
        return _to_convert(output_dir, path, image_dir=path, csv_file=None)
    if not os.path.exists(path):
        raise UserError(
            f"{path!r} does not exist: name a folder that holds a folder for each"
            " class, a CSV file, or a converted data set"
        )
    if not path.lower().endswith((".csv", ".tsv", ".txt")):
        raise UserError(
            f"{path!r} is neither a folder nor a CSV file: name a folder that holds a"
            " folder for each class"
        )
    return _to_convert(output_dir, path, image_dir=None, csv_file=path)


def _converted(folder: str) -> PhotoData | None:
    info = dataset_json.read(folder)
    return PhotoData(info.name, folder) if info else None


def _to_convert(
    output_dir: str, path: str, *, image_dir: str | None, csv_file: str | None
) -> PhotoData:
    stem = os.path.splitext(os.path.basename(os.path.realpath(path)))[0]
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", stem).strip("_.-") or "photos"
    folder = os.path.join(output_dir, _FOLDER)
    settings = Settings(
        image_dir=image_dir, csv_file=csv_file, dataset_dir=folder, dataset_name=name
    )
    return PhotoData(name, folder, settings)


def _require_outside(photos: str, output_dir: str) -> None:
    inner, outer = os.path.realpath(output_dir), os.path.realpath(photos)
    if os.path.commonpath([inner, outer]) == outer:
        raise UserError(
            f"--output_dir={output_dir} is inside the folder of photos, {photos}, where"
            " it would be taken for a class: choose a folder outside"
        )
