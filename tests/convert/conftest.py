"""A folder of photos, and photos without files."""

from collections.abc import Callable
from pathlib import Path

import pytest

from convert.photos.settings import Settings
from convert.tfrecords.source_photo import Checked, Source
from tests.convert import sample_photos


@pytest.fixture
def photo_folder(tmp_path: Path) -> Path:
    """Classes cat and dog of four PNG files each."""
    return sample_photos.make_folder(tmp_path / "photos")


@pytest.fixture
def settings(photo_folder: Path, tmp_path: Path) -> Settings:
    """Settings for a conversion of `photo_folder`."""
    return Settings(
        image_dir=str(photo_folder),
        csv_file=None,
        dataset_dir=str(tmp_path / "data"),
        dataset_name="pets",
    )


@pytest.fixture(scope="session")
def photo() -> Callable[..., Checked]:
    """A function that makes what a check found, without any file."""

    def make(digest: str, class_name: str = "a", split: str | None = None) -> Checked:
        name = f"{split or '.'}/{class_name}/{digest}.jpg"
        source = Source(name, name, class_name, split, 1)
        return Checked(source, digest, "jpg", 1, 1, None)

    return make
