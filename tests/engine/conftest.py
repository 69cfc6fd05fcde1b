"""Images, the small net by its name, and one finished run."""

import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine.run.background import BackgroundWriter
from tests.engine import small_runs


@pytest.fixture(scope="session")
def images_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Folder of the coloured images: a split `train`, a split `validation`."""
    return small_runs.write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module", autouse=True)
def small_net() -> Iterator[None]:
    """`--model_name=tiny` works in the tests of this folder, and nowhere else."""
    with small_runs.net_registered():
        yield


class _AtOnce(BackgroundWriter):
    def submit(self, write: Callable[[], None]) -> None:
        super().submit(write)
        self.wait()


@pytest.fixture
def at_once() -> BackgroundWriter:
    """A writer that is done when asked."""
    return _AtOnce()


@pytest.fixture(scope="session")
def full_run_flags(images_dir: pathlib.Path) -> dict[str, Any]:
    """A run of six steps with everything switched on."""
    return {
        "dataset_dir": images_dir,
        "max_number_of_steps": 6,
        "log_every_n_steps": 3,
        "optimizer": "adam",
        "opt_epsilon": 0.01,
        "moving_average_decay": 0.9,
        "num_epochs_per_decay": 10.0,
        "eval_split_name": "validation",
        "eval_every_n_steps": 2,
        "save_summaries_secs": 600,
        "summarize_sparsity": True,
    }


@pytest.fixture(scope="session")
def full_run(
    full_run_flags: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
    """The folder of such a run; tests leave it as it is."""
    train_dir = tmp_path_factory.mktemp("full_run")
    with small_runs.net_registered():
        assert small_runs.train(train_dir=train_dir, **full_run_flags) == 0
    return train_dir
