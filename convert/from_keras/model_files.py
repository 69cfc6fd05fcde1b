"""Keras models in files, whose content is checked before Keras builds them."""

import contextlib
import importlib
import json
import math
import os
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

import h5py  # type: ignore[import-untyped]
import keras
from keras.src.backend.common import global_state

from errors import UserError

MODEL_FILES = (".keras", ".h5", ".hdf5")
# Layers that hold code, or refer to files with code or graphs.
_RUNS_CODE = frozenset(
    ["Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"]
)
_MAX_CONFIG_BYTES = 64 * 2**20
_MAX_ELEMENTS = 2**28  # of a layer's output for one image
_WAITING = "uninitialized_variables"  # Keras's list of variables yet to be created


def load(path: str) -> tuple[keras.Model, str | None]:
    """Loads a model from a file, with the loss it was trained with, if stored.

    Raises:
      UserError: the file cannot be read, or holds code.
    """
    try:
        config = _config(path)
    except Exception as error:  # zipfile, h5py and JSON raise anything
        raise _unreadable(path, error) from error
    for layer in _dictionaries(config):
        if layer.get("class_name") in _RUNS_CODE:
            inner = layer.get("config")
            name = inner.get("name") if isinstance(inner, dict) else None
            raise UserError(
                f"--keras_model: {path} has the layer {name or '?'} of class"
                f" {layer['class_name']}, which can run any code; the model was not"
                " loaded: save it without that layer"
            )
    # Keras has these layers for one net each, and does not find them when loading.
    known = {
        name: getattr(importlib.import_module(net.__module__), name)
        for name, net in (
            ("CustomScaleLayer", keras.applications.InceptionResNetV2),
            ("LayerScale", keras.applications.ConvNeXtTiny),
            ("StochasticDepth", keras.applications.ConvNeXtTiny),
        )
    }
    options = {"custom_objects": known, "compile": False, "safe_mode": True}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # First without creating the variables, so that a file that lacks their
            # values fails, however large it claims them to be.
            with _without_values() as scope:
                model = keras.models.load_model(path, **options)
            _check_sizes(path, model)
            unset = [w for w in model.weights if scope.get_current_value(w) is None]
            if unset:
                raise ValueError(f"there are no values for {unset[0].path}")
            model = keras.models.load_model(path, **options)
    except UserError:
        raise
    except Exception as error:  # zipfile, h5py and Keras raise anything
        raise _unreadable(path, error) from error
    return model, _loss(config)


@contextlib.contextmanager
def _without_values() -> Iterator[keras.StatelessScope]:
    """A scope in which models are loaded without creating their variables.

    Keras puts these on a list, and would create them with those of its next model.
    """
    waiting = list(global_state.get_global_attribute(_WAITING) or [])
    try:
        with keras.StatelessScope(initialize_variables=False) as scope:
            yield scope
    finally:
        global_state.set_global_attribute(_WAITING, waiting)


def layers_of(model: keras.Model) -> Iterator[Any]:
    """The layers of a model and of the models inside it."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from layers_of(layer)
        else:
            yield layer


def models_in(model: keras.Model) -> list[str]:
    """The name of a model and those of the models directly inside it."""
    inner = [layer.name for layer in model.layers if isinstance(layer, keras.Model)]
    return [model.name, *inner]


def _check_sizes(path: str, model: keras.Model) -> None:
    """Refuses a model with layers whose output for one image exceeds the memory."""
    for layer in layers_of(model):
        for node in layer._inbound_nodes:
            for output in node.output_tensors:
                if math.prod(side or 1 for side in output.shape) > _MAX_ELEMENTS:
                    raise UserError(
                        f"--keras_model: the layer {layer.name} of {path} outputs"
                        f" arrays of shape {tuple(output.shape)}; at most"
                        f" {_MAX_ELEMENTS:,} values are supported; it was not run"
                    )


def _config(path: str) -> dict[str, Any]:
    """The configurations of the model and of its compilation, as stored."""
    if path.endswith(".keras"):
        if os.path.isdir(path):
            raise IsADirectoryError(f"{path} is a folder")
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > _MAX_CONFIG_BYTES:
                raise ValueError("its config.json is too large for a model's")
            config = json.loads(archive.read("config.json"))
    else:
        with h5py.File(path, "r") as file:
            config = {
                "model": json.loads(file.attrs["model_config"]),
                "compile_config": json.loads(file.attrs.get("training_config", "null")),
            }
    if not isinstance(config, dict):
        raise TypeError("its configuration is not a JSON object")
    return config


def _dictionaries(value: Any) -> Iterator[dict[str, Any]]:
    unread = [value]
    while unread:
        item = unread.pop()
        if isinstance(item, dict):
            yield item
            unread += item.values()
        elif isinstance(item, list):
            unread += item


def _loss(config: dict[str, Any]) -> str | None:
    loss = (config.get("compile_config") or {}).get("loss")
    if isinstance(loss, dict):
        loss = loss.get("class_name")
        loss = loss if isinstance(loss, str) else None
    return loss.replace("_", "").lower() if isinstance(loss, str) else None


def _unreadable(path: str, error: BaseException) -> UserError:
    reason = plain_reason(error).partition(". Please ")[0]  # advice for programmers
    if "Unknown layer" in reason:
        return UserError(
            f"--keras_model: {path} cannot be read as a Keras model: {reason}; .h5"
            " files store neither operations, such as those of preprocess_input, nor"
            " custom layers: save the model as .keras, or from the net on"
        )
    return UserError(
        f"--keras_model: {path} cannot be read as a Keras model: {reason}; for a file"
        " with weights only, give it as --weights_file and the net's name as"
        " --keras_model"
    )


def plain_reason(error: BaseException) -> str:
    """An error's first line, with the second if the first ends in a colon."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].endswith(":"):
        lines[0] += f" {lines[1]}"
    return lines[0].rstrip(".") if lines else type(error).__name__
