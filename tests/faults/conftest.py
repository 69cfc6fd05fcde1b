"""Images, and the small net by its name."""

import pathlib
from collections.abc import Iterator

import pytest

from tests.engine import small_runs


@pytest.fixture(scope="session")
def images_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Folder of the coloured images: a split `train`, a split `validation`."""
    return small_runs.write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture
def small_net() -> Iterator[None]:
    """`--model_name=tiny` works."""
    with small_runs.net_registered():
        yield
