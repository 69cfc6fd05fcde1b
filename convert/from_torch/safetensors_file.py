"""Safetensors files, checked before a value is believed.

Eight bytes with the length of a JSON header, little-endian, the header (name -> dtype,
shape, place), and the values: https://huggingface.co/docs/safetensors/index#format.
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
    """The tensors of a file.

    Args:
      content: its bytes, `[n]` uint8.

    Returns:
      Array by name, floats as float32.

    Raises:
      ValueError: it is damaged, or contradicts itself.
    """
    start = 8 + int.from_bytes(content[:8].tobytes(), "little")
    if not 8 < start <= min(len(content), 8 + _MAX_HEADER):
        raise ValueError("its header is longer than the file, or empty")
    try:
        text = content[8:start].tobytes().decode()
        header = json.loads(text, object_pairs_hook=_without_doubles)
    except RecursionError as error:
        raise ValueError("its header is nested too deep") from error
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object")
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
    """Where the values are, if that is as large as dtype and shape say."""
    if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= set(
        entry
    ):
        raise ValueError(f"{name} has not dtype, shape and data_offsets")
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not isinstance(entry["dtype"], str) or entry["dtype"] not in _DTYPES:
        raise ValueError(
            f"{name} is of the type {entry['dtype']}, and not one of"
            f" {', '.join(_DTYPES)}"
        )
    if not (_are_sizes(shape) and _are_sizes(offsets) and len(offsets) == 2):
        raise ValueError(f"{name} has a shape or offsets that are no sizes")
    begin, end = offsets
    expected = math.prod(shape) * _DTYPES[entry["dtype"]].itemsize
    if end - begin != expected:
        raise ValueError(
            f"{name} has {end - begin} bytes, and its shape {shape} takes {expected}"
        )
    return begin, end


def _are_sizes(numbers: Any) -> bool:
    return isinstance(numbers, list) and all(
        type(number) is int and 0 <= number < 2**62 for number in numbers
    )


def _check_ranges(places: dict[str, tuple[int, int]], size: int) -> None:
    """Values lie one behind another, and fill the file."""
    position = 0
    for name, (begin, end) in sorted(places.items(), key=lambda item: item[1]):
        if begin != position:
            raise ValueError(f"the values of {name} overlap others or leave a gap")
        position = end
    if position != size:
        raise ValueError(f"its values take {position} bytes, and it has {size}")
