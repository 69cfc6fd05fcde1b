"""State dictionaries of PyTorch as arrays, without PyTorch.

Training scripts save several of them: the weights, their moving averages, the state of
the optimizer. The one that is used is reported.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from absl import logging

from common.untrusted_text import first_few, printable
from convert.from_torch import pickle_file, safetensors_file
from convert.from_torch.pickle_file import Tensor
from errors import UserError

State = Mapping[str, np.ndarray]

_TORCH_FILES = (".pth", ".pt", ".bin", ".tar", ".ckpt")
_PARALLEL = "module."  # prefix of every name, by DistributedDataParallel
_COMPILED = "_orig_mod."  # part of every name, by torch.compile
_COUNT_OF_AVERAGES = "n_averaged"  # of torch.optim.swa_utils.AveragedModel
_MAX_DEPTH = 3  # of dictionaries in dictionaries


def read(path: str, key: str | None = None) -> dict[str, np.ndarray]:
    """Reads the tensors of a state dictionary.

    Args:
      path: a `.safetensors` file, or one of torch.save; no code in it is run.
      key: which dictionary of the file, such as "state_dict_ema"; None takes the only
        one, or the only one that is not a moving average.

    Returns:
      Arrays by name, floats as float32, without the prefixes of DataParallel and
      torch.compile.

    Raises:
      UserError: the file is missing, of another kind, damaged or hostile, or holds no
        state dictionary, several, or none with this key.
    """
    if path.endswith(".safetensors"):
        if key:
            raise UserError(
                f"--state_dict_key={key}: a .safetensors file has one dictionary; omit"
                " the flag"
            )
        state = _guarded(path, lambda: _read_safetensors(path))
    elif path.endswith(_TORCH_FILES):
        state = _guarded(path, lambda: _read_torch(path, key))
    else:
        raise UserError(
            f"--state_dict={path}: give a .safetensors, .pth or .pt file, as"
            " written by torch.save(model.state_dict()) or the safetensors package"
        )
    return _plainly_named(path, state)


def _guarded(path: str, read_it: Any) -> dict[str, np.ndarray]:
    kind = "safetensors file" if path.endswith(".safetensors") else "file of torch.save"
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise UserError(f"--state_dict={path} is not a file: give one")
        result: dict[str, np.ndarray] = read_it()
    except UserError:  # a ValueError, too, but with the full message
        raise
    except OSError as error:
        raise UserError(f"--state_dict={path}: {error.strerror or error}") from error
    except ValueError as error:
        reason = printable(str(error))
        raise UserError(
            f"--state_dict={path} is damaged or not a {kind} ({reason})"
        ) from error
    return result


def _read_safetensors(path: str) -> dict[str, np.ndarray]:
    with open(path, "rb") as file:
        if not file.read(1):
            raise ValueError("it is empty")
    return safetensors_file.parse(np.memmap(path, np.uint8, "r"))


def _read_torch(path: str, key: str | None) -> dict[str, np.ndarray]:
    value, arrays = pickle_file.read(path)
    found = dict(_dictionaries(value, ""))
    if not found:
        what = "a whole model" if isinstance(value, pickle_file.Inert) else "no tensors"
        name = f" ({printable(value.kind)})" if hasattr(value, "kind") else ""
        raise UserError(
            f"--state_dict={path} holds {what}{name}, not a state dictionary: save"
            " model.state_dict()"
        )
    chosen = _chosen(path, found, key)
    state = {n: v for n, v in found[chosen].items() if isinstance(v, Tensor)}
    if left := [str(name) for name in found[chosen] if name not in state]:
        logging.info("Omitting entries that are not tensors: %s.", first_few(left))
    return arrays(state)


def _dictionaries(
    value: Any, place: str, depth: int = 0
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The dictionaries of tensors in a value, by the keys that lead to them."""
    if not isinstance(value, dict) or depth > _MAX_DEPTH:
        return
    if any(isinstance(k, str) and isinstance(v, Tensor) for k, v in value.items()):
        yield place, {str(k): v for k, v in value.items()}
    for key, inner in value.items():
        if isinstance(key, str):
            yield from _dictionaries(inner, f"{place}.{key}".lstrip("."), depth + 1)


def _chosen(path: str, found: Mapping[str, Mapping[str, Any]], key: str | None) -> str:
    """The dictionary to use; a choice among several is reported."""
    if key is not None:
        if key not in found:
            raise UserError(
                f"--state_dict_key={key}: {path} has no such dictionary of tensors; it"
                f" has {_listed(found)}"
            )
        return key
    nets = [place for place, values in found.items() if _has_kernels(values)]
    nets = nets or list(found)
    plain = [place for place in nets if "ema" not in place.lower()]
    if len(nets) > 1 and len(plain) != 1:
        raise UserError(
            f"--state_dict={path} holds {len(nets)} dictionaries of weights,"
            f" {_listed(nets)}: choose one with --state_dict_key"
        )
    chosen = plain[0] if plain else nets[0]
    if len(nets) > 1:
        others = [place for place in nets if place != chosen]
        logging.warning(
            "Using the weights %s of %s. Their moving averages, often the better"
            " weights, are in the file, too: use them with --state_dict_key=%s.",
            printable(chosen) or "at the top level",
            path,
            printable(others[0]),
        )
    elif chosen:
        logging.info("Using the weights %s of %s.", printable(chosen), path)
    return chosen


def _has_kernels(values: Mapping[str, Any]) -> bool:
    return any(isinstance(v, Tensor) and len(v.shape) == 4 for v in values.values())


def _listed(places: Mapping[str, Any] | list[str]) -> str:
    return ", ".join(printable(place) or "(top level)" for place in places)


def _plainly_named(path: str, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    plain: dict[str, np.ndarray] = {}
    for name, values in state.items():
        if name == _COUNT_OF_AVERAGES:
            continue
        short = name.replace(_COMPILED, "").removeprefix(_PARALLEL)
        if short in plain:
            raise UserError(
                f"--state_dict={path} has two tensors named {printable(short)} after"
                " removing the prefixes of DataParallel and torch.compile: keep one"
            )
        plain[short] = values
    return plain
