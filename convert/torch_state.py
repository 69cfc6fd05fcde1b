"""State dictionaries of PyTorch as arrays: `.safetensors` alone, `.pth` with PyTorch.

A safetensors file is eight bytes with the length of a JSON header, little-endian, the
header (name -> dtype, shape, place), and the values:
https://huggingface.co/docs/safetensors/index#format.
"""

import json
import math
import pickle
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from errors import UserError

State = Mapping[str, np.ndarray]

_TORCH_FILES = (".pth", ".pt", ".bin", ".tar")
_WRAPPERS = ("state_dict", "model")  # where training scripts put the dictionary
_PARALLEL = "module."  # what torch.nn.DataParallel puts before every name
_DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),  # the upper half of a float32
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
}


def read(path: str) -> dict[str, np.ndarray]:
    """The tensors of a state dictionary.

    Args:
      path: a `.safetensors` file, or a `.pth` or `.pt` file, which PyTorch reads, with
        weights alone: no code in it is run.

    Returns:
      Array by name, floats as float32.

    Raises:
      UserError: the file is missing, of another kind or damaged, or PyTorch is needed
        and not installed.
    """
    if path.endswith(".safetensors"):
        tensors = _read_safetensors(path)
    elif path.endswith(_TORCH_FILES):
        tensors = _read_with_torch(path)
    else:
        raise UserError(
            f"--state_dict={path}: give a .safetensors, .pth or .pt file, as"
            " torch.save(model.state_dict()) and the safetensors package write them"
        )
    return {name.removeprefix(_PARALLEL): values for name, values in tensors.items()}


def _read_safetensors(path: str) -> dict[str, np.ndarray]:
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise UserError(f"--state_dict={path}: {error.strerror}") from error
    try:
        return dict(_parse_safetensors(content))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"--state_dict={path} is damaged or no safetensors file ({error})"
        ) from error


def _parse_safetensors(content: bytes) -> Iterator[tuple[str, np.ndarray]]:
    start = 8 + int.from_bytes(content[:8], "little")
    if not 8 < start <= len(content):
        raise ValueError("it is too short")
    header = json.loads(content[8:start])
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        shape, begin = tensor["shape"], start + tensor["data_offsets"][0]
        values: np.ndarray = np.frombuffer(
            content, _DTYPES[tensor["dtype"]], math.prod(shape), begin
        ).reshape(shape)
        if tensor["dtype"] == "BF16":
            values = (values.astype(np.uint32) << 16).view(np.float32)
        yield name, values.astype(np.float32) if values.dtype.kind == "f" else values


def _read_with_torch(path: str) -> dict[str, np.ndarray]:
    try:
        import torch  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise UserError(
            f"--state_dict={path}: PyTorch reads these files and is not installed: pip"
            ' install "slim-image-classifier[torch]", or save the weights as'
            " .safetensors"
        ) from error
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"--state_dict={path} holds more than tensors, a whole model perhaps, and"
            " could run any code: save model.state_dict()"
        ) from error
    except OSError as error:
        raise UserError(f"--state_dict={path}: {error.strerror or error}") from error
    except Exception as error:  # zipfile and PyTorch raise what they like.
        reason = str(error).strip().partition("\n")[0]
        raise UserError(
            f"--state_dict={path} is damaged or no file of torch.save ({reason})"
        ) from error
    for wrapper in _WRAPPERS:
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if not isinstance(state, dict) or not all(
        isinstance(values, torch.Tensor) for values in state.values()
    ):
        raise UserError(
            f"--state_dict={path} holds no state dictionary: save model.state_dict()"
        )
    return {
        name: (values.float() if values.is_floating_point() else values).numpy()
        for name, values in state.items()
    }
