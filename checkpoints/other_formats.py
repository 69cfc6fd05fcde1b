"""Recognizes files that are not slim checkpoints, and names the converter."""

import os
import zipfile
from collections.abc import Callable

from common import storage

_HEAD_BYTES = 512
_KERAS = "convert it with convert/keras_to_slim.py --keras_model={}"
_TORCH = "convert it with convert/torch_to_slim.py --state_dict={}"
_FROZEN = "convert it with convert/frozen_graph_to_slim.py"
_RESAVE = (
    "load it in the program that wrote it and save the model as .keras, which"
    " convert/keras_to_slim.py converts"
)
_SOURCE = (
    "it does not hold weights by name: use the checkpoint or model it was made from"
)
_UNPACK = "unpack it and name the checkpoint in it"

OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"  # what only object-based ones hold
OBJECT_BASED = (
    "an object-based checkpoint of TensorFlow 2 (of tf.train.Checkpoint, save_weights"
    f" or a SavedModel), not one of variables by slim's names: {_RESAVE}"
)

# By the first bytes of a file.
_HEADS: tuple[tuple[bytes, str, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "a Keras model or weights in HDF5", _KERAS),
    (b"\x80\x02", "a pickle, as PyTorch's files are", _TORCH),
    (b"\x93NUMPY", "a NumPy array", "no command takes it"),
    (b"\x1f\x8b", "a gzip archive", _UNPACK),
    (b"BZh", "a bzip2 archive", _UNPACK),
    (b"\xfd7zXZ", "an xz archive", _UNPACK),
    (b"version https://git-lfs", "a pointer of Git LFS", "fetch it with git lfs pull"),
)
# By the ending of its name, for contents that cannot be recognized.
_SUFFIXES: dict[str, tuple[str, str]] = {
    ".pb": ("a frozen graph", f"{_FROZEN} --graph_file={{}}"),
    ".pbtxt": ("a graph in text form", _SOURCE),
    ".onnx": ("an ONNX model", _SOURCE),
}


def explain(path: str) -> str | None:
    """Explains what a path is, if it is something known other than a slim checkpoint.

    Args:
      path: a file or a folder.

    Returns:
      A clause for a message, with what to do; None if unknown.
    """
    if storage.is_folder(path):
        return _explain_folder(path)
    if not storage.is_file(path):
        return None
    with storage.open_bytes(path) as file:
        head = file.read(_HEAD_BYTES)
    return _explain_file(path, head)


def _explain_folder(path: str) -> str | None:
    names = sorted(storage.names_in(path))
    if {"saved_model.pb", "saved_model.pbtxt"} & set(names):
        return f"a SavedModel of TensorFlow: {_RESAVE}"
    for name in names:
        inside = os.path.join(path, name)
        if storage.is_file(inside) and (kind := explain(inside)):
            return f"a folder with {name}, {kind}"
    return None


def _explain_file(path: str, head: bytes) -> str | None:
    suffix = os.path.splitext(path)[1].lower()
    if os.path.basename(path) == "saved_model.pb":
        return f"the graph of a SavedModel of TensorFlow: {_RESAVE}"
    for mark, kind, remedy in _HEADS:
        if head.startswith(mark):
            return f"{kind}: {remedy.format(path)}"
    for is_it, kind, remedy in _LOOKS:
        if is_it(path, head):
            return f"{kind}: {remedy.format(path)}"
    if suffix in _SUFFIXES:
        kind, remedy = _SUFFIXES[suffix]
        return f"{kind}: {remedy.format(path)}"
    return None


def _zip_holds(*endings: str) -> Callable[[str, bytes], bool]:
    """A test for a zip file with a member whose name has this ending."""

    def is_it(path: str, head: bytes) -> bool:
        if not head.startswith(b"PK\x03\x04"):
            return False
        try:
            with (
                storage.open_bytes(path) as file,
                zipfile.ZipFile(file) as archive,
            ):
                return any(name.endswith(endings) for name in archive.namelist())
        except (zipfile.BadZipFile, OSError):
            return "" in endings

    return is_it


def _is_safetensors(path: str, head: bytes) -> bool:
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and 2 <= length <= storage.size(path) - 8


_LOOKS: tuple[tuple[Callable[[str, bytes], bool], str, str], ...] = (
    (_zip_holds(".weights.h5"), "a Keras model (.keras)", _KERAS),
    (_zip_holds("data.pkl"), "a file of PyTorch", _TORCH),
    (_zip_holds(".npy"), "NumPy arrays (.npz)", "no command takes them"),
    (_zip_holds(""), "a zip archive", _UNPACK),
    (_is_safetensors, "a state dictionary in safetensors", _TORCH),
    (lambda _, head: head[4:8] == b"TFL3", "a TensorFlow Lite model", _SOURCE),
    (lambda _, head: head[257:262] == b"ustar", "a tar archive", _UNPACK),
    (
        lambda _, head: head.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")),
        "a web page, as of a download that failed",
        "fetch the checkpoint again",
    ),
)
