import pytest

from benchmarks.measuring import Scale


@pytest.fixture(scope="session")
def smallest():
    """A scale at which every benchmark runs in seconds; its figures mean nothing."""
    return Scale(
        model_name="lenet",
        image_size=28,
        batch_size=4,
        num_images=10,
        photo_size=(40, 30),
        large_photo_size=(40, 30),
        rounds=1,
        round_secs=0.0,
        isolated=False,
    )


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Where the benchmarks make their data, once for all."""
    return tmp_path_factory.mktemp("benchmarks")
