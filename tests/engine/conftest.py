"""Images, the small net by its name, and one finished run."""

import pathlib
from collections.abc import Iterator

import pytest

from nets import nets_factory
from tests.engine import small_runs


@pytest.fixture(scope="session")
def images_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Folder of the coloured images: a split `train`, a split `validation`."""
    return small_runs.write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="package", autouse=True)
def small_net() -> Iterator[None]:
    """`--model_name=tiny` works in the tests of this folder, and nowhere else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(nets_factory.NETWORKS, small_runs.NET, small_runs.NET_ENTRY)
        yield
