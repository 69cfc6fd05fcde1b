"""Keras files that claim more than they hold are refused before memory is asked for."""

import json
import zipfile

import h5py  # type: ignore[import-untyped]
import keras
import pytest
from keras import layers

from convert.from_keras import model_files
from errors import UserError


@pytest.fixture(scope="module", params=[".keras", ".h5"])
def saved(request, tmp_path_factory):
    """A model's file of either kind."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.ZeroPadding2D(1),
            layers.Conv2D(2, 3),
            layers.GlobalAveragePooling2D(),
            layers.Dense(5, name="classes"),
        ]
    )
    path = tmp_path_factory.mktemp("saved") / f"model{request.param}"
    model.save(path)
    return path


def rewritten(path, target, old, new):
    """The file with another configuration."""
    target = target / path.name
    if path.suffix == ".h5":
        target.write_bytes(path.read_bytes())
        with h5py.File(target, "a") as file:
            assert old in file.attrs["model_config"]
            file.attrs["model_config"] = file.attrs["model_config"].replace(old, new)
        return str(target)
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            content = source.read(name)
            if name == "config.json":
                assert old.encode() in content
                content = content.replace(old.encode(), new.encode())
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    return str(target)


def refused(path):
    with pytest.raises(UserError) as error:
        model_files.load(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_whole_model_is_read(saved):
    model, loss = model_files.load(str(saved))
    assert [w.shape for w in model.weights][-1] == (5,)
    assert loss is None


def test_weights_that_the_file_does_not_have_are_not_made(saved, tmp_path, monkeypatch):
    made = []
    initialise = keras.initializers.GlorotUniform.__call__

    def watched(self, shape, **options):
        made.append(shape)
        return initialise(self, shape, **options)

    monkeypatch.setattr(keras.initializers.GlorotUniform, "__call__", watched)
    path = rewritten(saved, tmp_path, '"units": 5', '"units": 70000000000')
    message = refused(path)
    assert "(2, 70000000000)" in message
    assert "(2, 5)" in message
    with keras.StatelessScope():
        pass  # makes all variables that wait for their values
    assert (2, 70000000000) not in made


def test_arrays_beyond_memory_are_not_made(saved, tmp_path):
    sides = (json.dumps([[n, n], [n, n]]) for n in (1, 90000))
    message = refused(rewritten(saved, tmp_path, *sides))
    assert "the layer zero_padding2d" in message
    assert "180008, 180008, 3" in message


def test_a_configuration_that_unpacks_to_gigabytes_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(model_files, "_MAX_CONFIG_BYTES", 1000)
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps({"config": "0" * 2000}))
    assert "config.json is too large" in refused(str(path))
