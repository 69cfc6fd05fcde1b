"""Weights that are found without being named."""

import pytest

from checkpoints.model_info import ModelInfo
from convert.published import available
from convert.published.available import Weights


@pytest.fixture
def add(tmp_path, monkeypatch):
    """A function: a folder with a checkpoint, and a record of it if wanted."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def add(folder, record=None):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "model.ckpt.index").touch()
        if record:
            record.write(str(tmp_path / folder))

    return add


def test_nothing_is_there(add):
    assert available.find() is None


def test_a_download_is_known_by_its_folder_and_others_by_their_record(add):
    add("weights/inception_v3")
    add("weights/a_run_of_unknown_kind")
    assert available.find() == Weights("weights/inception_v3", "inception_v3")
    add("weights/food", ModelInfo("lenet", 32, True, "keras", 0, None, 5, None))
    flags = ("--train_image_size=32", "--preprocessing_name=keras", "--use_grayscale")
    assert available.find() == Weights("weights/food", "lenet", flags)


def test_the_cache_comes_after_the_working_folder(add, tmp_path):
    cached = "cache/slim-image-classifier/weights/mobilenet_v1"
    add(cached)
    assert available.find() == Weights(str(tmp_path / cached), "mobilenet_v1")
    add("weights/vgg_16")
    assert available.find() == Weights("weights/vgg_16", "vgg_16")
