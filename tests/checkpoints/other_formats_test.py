"""Files of other programs instead of a checkpoint: named, with their converter."""

import gzip
import json
import tarfile
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from checkpoints.slim_format import Checkpoint, find_checkpoint, write_checkpoint
from errors import UserError


def _zip(path, *names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")


def _tar(path, *_):
    inside = path.with_name("model.ckpt")
    inside.write_bytes(b"x")
    with tarfile.open(path, "w") as archive:
        archive.add(inside)
    inside.unlink()


def _safetensors(path):
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode() + bytes(4))


def _saved_model(path):
    path.mkdir()
    (path / "saved_model.pb").write_bytes(b"\x08\x01")
    (path / "variables").mkdir()


def _keras_h5(path):
    inputs = tf.keras.Input([1])
    model = tf.keras.Model(inputs, tf.keras.layers.Dense(1)(inputs))
    model.save(path)


def _in_folder(path):
    path.mkdir()
    _safetensors(path / "model.safetensors")


KERAS, TORCH = "keras_to_slim.py --keras_model=", "torch_to_slim.py --state_dict="
FILES = {
    "m.keras": (_keras_h5, "a Keras model (.keras)", KERAS),
    "m.h5": (_keras_h5, "a Keras model or weights in HDF5", KERAS),
    # What the content says counts, whatever the name.
    "model.ckpt": (lambda p: _zip(p, "m/data.pkl"), "a file of PyTorch", TORCH),
    "m.pt": (lambda p: p.write_bytes(b"\x80\x02\x8a\nl"), "a pickle", TORCH),
    "m.safetensors": (_safetensors, "a state dictionary in safetensors", TORCH),
    "m.npz": (lambda p: np.savez(p, w=[1]), "NumPy arrays", "no command takes them"),
    "m.npy": (lambda p: np.save(p, [1]), "a NumPy array", "no command takes it"),
    "m.tflite": (lambda p: p.write_bytes(b"\x1c\0\0\0TFL3\0"), "Lite", "made from"),
    "m.onnx": (lambda p: p.write_bytes(b"\x08\x07\x12"), "an ONNX model", "made from"),
    "m.pb": (lambda p: p.write_bytes(b"\n\x03"), "a frozen graph", "--graph_file="),
    "m.zip": (lambda p: _zip(p, "model.ckpt.index"), "a zip archive", "unpack it"),
    "m.tar.gz": (lambda p: p.write_bytes(gzip.compress(b"x")), "a gzip", "unpack it"),
    "m.tar": (_tar, "a tar archive", "unpack it"),
    "v.ckpt": (lambda p: p.write_text("\n<!DOCTYPE html>"), "a web page", "again"),
    "saved": (_saved_model, "a SavedModel", "convert/keras_to_slim.py"),
    "folder": (_in_folder, "a folder with model.safetensors, a state", TORCH),
}


@pytest.mark.parametrize("name", FILES)
def test_it_is_named_with_the_way_to_convert_it(tmp_path, name):
    make, kind, remedy = FILES[name]
    make(tmp_path / name)
    with pytest.raises(UserError) as raised:
        find_checkpoint(str(tmp_path / name))
    said = str(raised.value)
    assert said.startswith(
        f"--checkpoint_path={tmp_path / name} is not a slim checkpoint"
    )
    assert kind in said
    assert remedy in said
    assert "\n" not in said


def test_an_object_based_checkpoint(tmp_path):
    path = tf.train.Checkpoint(w=tf.Variable([1.0])).save(str(tmp_path / "ckpt"))
    with pytest.raises(UserError, match=r"is an object-based checkpoint of TensorFlow"):
        Checkpoint(find_checkpoint(path))
    with pytest.raises(UserError, match=r"convert/keras_to_slim\.py converts"):
        Checkpoint(find_checkpoint(str(tmp_path)))


@pytest.mark.parametrize("beside", [["m.keras"], ["m.npz", "m.pb"]])
def test_a_checkpoint_next_to_other_files_counts(tmp_path, beside):
    write_checkpoint(str(tmp_path / "model.ckpt-1"), {"w": np.zeros(1)})
    for name in beside:
        FILES[name][0](tmp_path / name)
    assert find_checkpoint(str(tmp_path)) == str(tmp_path / "model.ckpt-1")
