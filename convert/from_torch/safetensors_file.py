"""Safetensors files, validated before they are used.

The length of a JSON header in eight bytes, little-endian; the header (name -> dtype,
shape, offsets); the values: https://huggingface.co/docs/safetensors/index#format.
"""

import json
import math
from typing import Any

import numpy as np

from convert.from_torch.pickle_file import as_float32

_MAX_HEADER = 100 * 2**20  # bytes; the format's own limit
_DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),  # the upper half of a float32
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}


def parse(content: np.ndarray) -> dict[str, np.ndarray]:
    """Reads the tensors of a file.

    Args:
      content: its bytes, `[n]` uint8.

    Returns:
      Arrays by name, floats as float32.

    Raises:
      ValueError: the file is damaged or inconsistent.
    """
    start = 8 + int.from_bytes(content[:8].tobytes(), "little")
    if not 8 < start <= min(len(content), 8 + _MAX_HEADER):
        raise ValueError("its header is longer than the file, or empty")
    try:
        text = content[8:start].tobytes().decode()
        header = json.loads(text, object_pairs_hook=_without_doubles)
    except RecursionError as error:
        raise ValueError("its header is nested too deeply") from error
    if not isinstance(header, dict):
        raise ValueError("its header is not a JSON object")
    header.pop("__metadata__", None)
    places = {name: _place(name, entry) for name, entry in header.items()}
    _check_ranges(places, len(content) - start)
    tensors = {}
    for name, (begin, end) in places.items():
        dtype, shape = header[name]["dtype"], header[name]["shape"]
        values = content[start + begin : start + end].view(_DTYPES[dtype])
        tensors[name] = as_float32(values.reshape(shape), is_bfloat16=dtype == "BF16")
    return tensors


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("its header has a name twice")
    return values


def _place(name: str, entry: Any) -> tuple[int, int]:
    """Begin and end of a tensor's values, checked against dtype and shape."""
    if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= set(
        entry
    ):
        raise ValueError(f"{name} does not have dtype, shape and data_offsets")
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not isinstance(entry["dtype"], str) or entry["dtype"] not in _DTYPES:
        raise ValueError(
            f"{name} has dtype {entry['dtype']}, expected one of {', '.join(_DTYPES)}"
        )
    if not (_are_sizes(shape) and _are_sizes(offsets) and len(offsets) == 2):
        raise ValueError(f"{name} has a shape or offsets that are not sizes")
    begin, end = offsets
    expected = math.prod(shape) * _DTYPES[entry["dtype"]].itemsize
    if end - begin != expected:
        raise ValueError(
            f"{name} has {end - begin} bytes, its shape {shape} needs {expected}"
        )
    return begin, end


def _are_sizes(numbers: Any) -> bool:
    return isinstance(numbers, list) and all(
        type(number) is int and 0 <= number < 2**62 for number in numbers
    )


def _check_ranges(places: dict[str, tuple[int, int]], size: int) -> None:
    """Checks that the values follow each other without gaps and fill the file."""
    position = 0
    for name, (begin, end) in sorted(places.items(), key=lambda item: item[1]):
        if begin != position:
            raise ValueError(f"the values of {name} overlap others or leave a gap")
        position = end
    if position != size:
        raise ValueError(f"its values need {position} bytes, the file has {size}")
