"""Files of torch.save, read without PyTorch and without running code in them.

A `.pth` file is a zip archive: `data.pkl`, a pickle whose tensors name their storages,
and a file `data/<key>` for each storage. Before PyTorch 1.6 it was a series of pickles
followed by the storages. A pickle can call anything; here it finds only what creates
tensors and dictionaries, and an inert object instead of anything else.
"""

import dataclasses
import io
import math
import pickle
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np

from errors import first_line

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_HALF_OF_FLOAT = np.dtype("<u2")  # bfloat16: the upper half of a float32
_STORAGES: dict[str, np.dtype[Any]] = {
    "DoubleStorage": np.dtype("<f8"),
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": _HALF_OF_FLOAT,
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}
_MAX_REPEATED = 2**24  # values that tensors may have beyond those of the storages


class Inert:
    """Stands for an object of any other class, which is not created."""

    kind = ""

    def __new__(cls, *_: Any, **__: Any) -> "Inert":
        """Accepts any arguments."""
        return object.__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        """Ignores the arguments."""

    def __setstate__(self, _: Any) -> None:
        """Ignores the state."""

    def __setitem__(self, *_: Any) -> None:
        """Ignores the item."""

    def append(self, *_: Any) -> None:
        """Ignores the item."""

    extend = add = append


class _Dict(dict[Any, Any]):
    """An OrderedDict, without the attributes that a pickle may set."""

    def __setstate__(self, _: Any) -> None:
        """Ignores `_metadata`."""


@dataclasses.dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype[Any]
    size: int


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A tensor as a view of a storage.

    Attributes:
      storage: holds the values.
      offset: the offset of the first value, in values.
      shape: the shape of the tensor.
      stride: per axis, in values.
    """

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def read(path: str) -> tuple[Any, Callable[[Mapping[str, Tensor]], dict[str, Any]]]:
    """Reads what torch.save wrote.

    Args:
      path: the file.

    Returns:
      The object, with a `Tensor` for each tensor and an `Inert` for each object of a
      class that is not built in; and a function from tensors by name to arrays by
      name, floats as float32.

    Raises:
      ValueError: the file is damaged, of another kind, or hostile.
      OSError: it cannot be read.
    """
    try:
        if zipfile.is_zipfile(path):
            return _read_zip(path)
        with open(path, "rb") as file:
            return _read_legacy(file)
    except (OSError, ValueError):
        raise
    except (MemoryError, RecursionError) as error:
        raise ValueError("it needs too much memory or recursion") from error
    except Exception as error:  # pickle and zipfile raise anything
        raise ValueError(first_line(error)) from error


# The unpickler in Python, not the one in C, which allocates memory up to any memo index
# that a pickle contains.
class _Unpickler(pickle._Unpickler):  # type: ignore[misc,name-defined,unused-ignore]
    def find_class(self, module: str, name: str) -> Any:
        if module in ("torch", "torch.storage") and name in _STORAGES:
            return _STORAGES[name]
        found = _KNOWN.get((module, name))
        return found or type("Inert", (Inert,), {"kind": f"{module}.{name}"})

    def persistent_load(self, pid: Any) -> Any:
        kind, dtype, key, _, size, *_ = pid
        if kind != "storage":
            raise ValueError(f"it holds a {kind!r}, expected a storage")
        if not isinstance(dtype, np.dtype):
            return Inert()
        if not isinstance(size, int) or size < 0:
            raise ValueError("a storage has no size")
        return _Storage(str(key), dtype, size)


def _tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> Any:
    if not isinstance(storage, _Storage):
        return Inert()
    numbers = (offset, *shape, *stride)
    if not all(type(number) is int and 0 <= number < 2**62 for number in numbers):
        raise ValueError("a tensor's shape or strides are not sizes")
    if len(shape) != len(stride):
        raise ValueError("a tensor has not one stride per axis")
    return Tensor(storage, offset, tuple(shape), tuple(stride))


def _parameter(data: Any = None, *_: Any) -> Any:
    return data


def _subclass(function: Any, _: Any, arguments: Any, *__: Any) -> Any:
    return _tensor(*arguments) if function is _tensor else Inert()


_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): _Dict,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    ("torch._tensor", "_rebuild_from_type_v2"): _subclass,
    ("torch", "Size"): tuple,
}


def _read_zip(path: str) -> Any:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        pickles = [n for n in names if n == "data.pkl" or n.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise ValueError("the archive has no data.pkl")
        folder = pickles[0].removesuffix("data.pkl")
        if f"{folder}constants.pkl" in names:
            raise ValueError("it is a TorchScript model: save model.state_dict()")
        if any(entry.compress_type for entry in archive.infolist()):
            raise ValueError("its archive is compressed, unlike those of torch.save")
        order = f"{folder}byteorder"
        if order in names and archive.read(order).strip() != b"little":
            raise ValueError("it was written on a big-endian machine: save it again")
        value = _Unpickler(io.BytesIO(archive.read(pickles[0]))).load()

    def content(storage: _Storage) -> bytes:
        with zipfile.ZipFile(path) as archive:
            return archive.read(f"{folder}data/{storage.key}")

    return value, lambda tensors: _arrays(tensors, content)


def _read_legacy(file: BinaryIO) -> Any:
    magic = file.read(2)
    file.seek(0)
    if magic[:1] != b"\x80" or _Unpickler(file).load() != _LEGACY_MAGIC:
        raise ValueError("it does not begin like a file of torch.save")
    _Unpickler(file).load()  # the format's version
    _Unpickler(file).load()  # information about the machine
    value = _Unpickler(file).load()
    keys = _Unpickler(file).load()
    rest = memoryview(file.read())

    def content_of(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
        # Each storage follows its size, in values, whose dtype only the tensors know.
        return _arrays(tensors, _legacy_content(value, keys, rest))

    return value, content_of


def _legacy_content(
    value: Any, keys: Any, rest: memoryview
) -> Callable[[_Storage], bytes]:
    dtypes: dict[str, np.dtype[Any]] = {}
    unread, seen = [value], set()
    while unread:
        item = unread.pop()
        if isinstance(item, Tensor):
            dtypes[item.storage.key] = item.storage.dtype
        elif isinstance(item, (dict, list, tuple)) and id(item) not in seen:
            seen.add(id(item))
            unread += item.values() if isinstance(item, dict) else item
    places, position = {}, 0
    for key in map(str, keys):
        size = int.from_bytes(rest[position : position + 8], "little")
        if key not in dtypes:
            break  # of an object that was not created; the next position is unknown
        end = position + 8 + size * dtypes[key].itemsize
        places[key] = slice(position + 8, end)
        position = end

    def content(storage: _Storage) -> bytes:
        if storage.key not in places:
            raise ValueError(f"the storage {storage.key} cannot be found")
        return bytes(rest[places[storage.key]])

    return content


def _arrays(
    tensors: Mapping[str, Tensor], content: Callable[[_Storage], bytes]
) -> dict[str, np.ndarray]:
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    stored = sum(storage.size for storage in storages.values())
    if sum(math.prod(t.shape) for t in tensors.values()) > 2 * stored + _MAX_REPEATED:
        raise ValueError("its tensors are far larger than its storages")
    read: dict[str, np.ndarray] = {}
    arrays = {}
    for name, tensor in tensors.items():
        key = tensor.storage.key
        if key not in read:
            read[key] = _values(tensor.storage, content)
        arrays[name] = _viewed(read[key], tensor, name)
    return arrays


def _values(storage: _Storage, content: Callable[[_Storage], bytes]) -> np.ndarray:
    try:
        values = content(storage)
    except KeyError as error:
        raise ValueError(f"the storage {storage.key} is missing") from error
    expected = storage.size * storage.dtype.itemsize
    if len(values) != expected:
        raise ValueError(
            f"the storage {storage.key} has {len(values)} bytes, expected {expected}"
        )
    return np.frombuffer(values, storage.dtype)


def _viewed(values: np.ndarray, tensor: Tensor, name: str) -> np.ndarray:
    steps = zip(tensor.shape, tensor.stride, strict=True)
    last = tensor.offset + sum((side - 1) * step for side, step in steps)
    if math.prod(tensor.shape) and last >= len(values):
        raise ValueError(f"{name} extends beyond its storage")
    if not math.prod(tensor.shape):
        return np.zeros(tensor.shape, np.float32)
    view = np.lib.stride_tricks.as_strided(
        values[tensor.offset :],
        tensor.shape,
        [step * values.itemsize for step in tensor.stride],
        writeable=False,
    )
    return as_float32(view, is_bfloat16=values.dtype == _HALF_OF_FLOAT)


def as_float32(values: np.ndarray, *, is_bfloat16: bool) -> np.ndarray:
    """A contiguous array: floats as float32, integers unchanged."""
    if is_bfloat16:
        return (values.astype(np.uint32) << 16).view(np.float32)
    is_float = values.dtype.kind == "f"
    return np.ascontiguousarray(values, np.float32 if is_float else None)
