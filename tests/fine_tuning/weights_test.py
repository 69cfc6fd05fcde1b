"""The weights that a fine-tuning starts from, and what is said where there are none."""

import os

import pytest

from checkpoints.model_info import ModelInfo
from checkpoints.slim_format import write_checkpoint
from convert import download_checkpoint
from convert.published import available, packages
from errors import UserError
from fine_tuning import weights
from nets.network import Network


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def offline(monkeypatch):
    def refuse(*_):
        raise UserError("the server is gone; try another")

    monkeypatch.setattr(download_checkpoint, "download", refuse)
    monkeypatch.setattr(packages, "fetch", refuse)


def write_lenet(folder):
    network = Network("lenet", num_classes=5, image_size=28)
    arrays = {name: v.numpy() for name, v in network.model_variables.items()}
    os.makedirs(folder)
    write_checkpoint(os.path.join(folder, "model.ckpt"), arrays)
    return os.path.join(folder, "model.ckpt")


@pytest.mark.parametrize("net", ["mobilenet_v1", "efficientnet_lite0", "lenet"])
def test_weights_in_the_cache_are_taken(offline, net):
    """Wherever they came from: an archive, a package, or by hand."""
    write_lenet(os.path.join(available.cache_folder(), net))
    path = os.path.join(available.cache_folder(), net, "model.ckpt")
    assert weights.find({"model_name": net}, "out") == [
        f"--model_name={net}",
        f"--checkpoint_path={path}",
    ]


@pytest.mark.parametrize("net", ["mobilenet_v1", "inception_v3", "lenet"])
def test_where_no_weights_can_be_had_three_ways_to_get_some_are_named(offline, net):
    with pytest.raises(UserError) as raised:
        weights.find({"model_name": net}, "out")
    said = str(raised.value)
    assert "\n" not in said
    for way in (
        "--checkpoint_path=FILE",
        "--model_name chooses",
        "convert/keras_to_slim.py",
    ):
        assert way in said


def test_a_net_that_nobody_chose_is_the_first_one_with_weights(
    offline, tmp_path, caplog
):
    preferred, other = weights.DEFAULT_NETS
    with pytest.raises(UserError, match=f"no weights of {other} are available"):
        weights.find({}, "out")
    write_lenet(os.path.join(available.cache_folder(), other))
    assert weights.find({}, "out")[0] == f"--model_name={other}"
    assert f"no weights of {preferred} are available here (the server" in caplog.text
    write_lenet(os.path.join(available.cache_folder(), preferred))
    assert weights.find({}, "out")[0] == f"--model_name={preferred}"
    # A fine-tuning goes on with the net that it began with.
    (tmp_path / "out" / "1-head").mkdir(parents=True)
    info = ModelInfo(other, 224, False, "inception", 0, None, 5, None)
    info.write(str(tmp_path / "out" / "1-head"))
    found = weights.find({}, str(tmp_path / "out"))
    assert found[0] == f"--model_name={other}"


def test_an_unknown_net_is_told_before_anything_is_fetched(offline):
    with pytest.raises(UserError, match="mobilenet_v1"):
        weights.find({"model_name": "mobilenet_v1x"}, "out")


def test_model_json_next_to_a_checkpoint_gives_net_and_images(tmp_path):
    path = write_lenet(tmp_path / "run")
    info = ModelInfo("lenet", 32, False, "inception", 0, None, 5, None)
    info.write(str(tmp_path / "run"))
    assert weights.find({"checkpoint_path": path}, "out") == [
        *("--model_name=lenet", "--train_image_size=32"),
        *("--preprocessing_name=inception", f"--checkpoint_path={path}"),
    ]
    with pytest.raises(UserError, match=r"contradicts model\.json.*with lenet"):
        weights.find({"checkpoint_path": path, "model_name": "cifarnet"}, "out")


def test_a_bare_checkpoint_is_known_by_its_variables(tmp_path):
    path = write_lenet(tmp_path / "run")
    assert weights.find({"checkpoint_path": path}, "out")[0] == "--model_name=lenet"


def test_random_weights_need_a_net():
    assert weights.find({"checkpoint_path": "", "model_name": "lenet"}, "out") == [
        "--model_name=lenet"
    ]
    with pytest.raises(UserError, match="name the net with --model_name"):
        weights.find({"checkpoint_path": ""}, "out")
