"""Images, and the small net by its name."""

import pathlib

import pytest

from nets import nets_factory
from tests.engine import small_runs


@pytest.fixture(scope="session")
def images_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Folder of the coloured images: a split `train`, a split `validation`."""
    return small_runs.write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture
def small_net(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--model_name=tiny` works."""
    monkeypatch.setitem(nets_factory.NETWORKS, small_runs.NET, small_runs.NET_ENTRY)
