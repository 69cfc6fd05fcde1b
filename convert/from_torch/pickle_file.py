"""Files of torch.save, read without PyTorch and without running what is in them.

A `.pth` file is a zip archive: `data.pkl`, a pickle whose tensors name their storages,
and a file `data/<key>` for each storage. Before PyTorch 1.6 it was a row of pickles and
the storages one after another. A pickle can call anything; here it finds nothing but
what makes tensors and dictionaries, and an inert object in place of all else.
"""

import dataclasses
import io
import math
import pickle
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np

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
_MAX_REPEATED = 2**24  # values that views may take beyond those of the storages


class Inert:
    """Stands for an object of any other class, which is not made."""

    kind = ""

    def __new__(cls, *_: Any, **__: Any) -> "Inert":
        """Takes any arguments."""
        return object.__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        """Does nothing with them."""

    def __setstate__(self, _: Any) -> None:
        """Takes any state."""

    def __setitem__(self, *_: Any) -> None:
        """Takes any item."""

    def append(self, *_: Any) -> None:
        """Takes any item."""

    extend = add = append


class _Dict(dict[Any, Any]):
    """An OrderedDict, without the attributes that a pickle may set."""

    def __setstate__(self, _: Any) -> None:
        """Forgets `_metadata`."""


@dataclasses.dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype[Any]
    size: int


@dataclasses.dataclass(frozen=True)
class Tensor:
    """Where the values of a tensor are: a view of a storage.

    Attributes:
      storage: holds the values.
      offset: of the first, in values.
      shape: of the tensor.
      stride: by axis, in values.
    """

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def read(path: str) -> tuple[Any, Callable[[Mapping[str, Tensor]], dict[str, Any]]]:
    """What torch.save wrote.

    Args:
      path: the file.

    Returns:
      The object, with a `Tensor` for each tensor and an `Inert` for each object of a
      class that is none of Python's own; and a function from tensors by name to
      arrays by name, floats as float32.

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
        raise ValueError("it asks for more than there is") from error
    except Exception as error:  # pickle and zipfile raise what they like.
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(reason or type(error).__name__) from error


# Python's own unpickler, not C's: the latter makes room for any memo index that it is
# told, and so fills the memory.
class _Unpickler(pickle._Unpickler):  # type: ignore[misc,name-defined,unused-ignore]
    def find_class(self, module: str, name: str) -> Any:
        if module in ("torch", "torch.storage") and name in _STORAGES:
            return _STORAGES[name]
        found = _KNOWN.get((module, name))
        return found or type("Inert", (Inert,), {"kind": f"{module}.{name}"})

    def persistent_load(self, pid: Any) -> Any:
        kind, dtype, key, _, size, *_ = pid
        if kind != "storage":
            raise ValueError(f"it holds a {kind!r} that is no storage")
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
        raise ValueError("a tensor's shape or strides are no sizes")
    if len(shape) != len(stride):
        raise ValueError("a tensor has not a stride for each side")
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
            raise ValueError("it is of TorchScript: save model.state_dict()")
        if any(entry.compress_type for entry in archive.infolist()):
            raise ValueError("its archive is compressed, which torch.save's is not")
        order = f"{folder}byteorder"
        if order in names and archive.read(order).strip() != b"little":
            raise ValueError("it was written on a big-endian machine: save it anew")
        value = _Unpickler(io.BytesIO(archive.read(pickles[0]))).load()

    def content(storage: _Storage) -> bytes:
        with zipfile.ZipFile(path) as archive:
            return archive.read(f"{folder}data/{storage.key}")

    return value, lambda tensors: _arrays(tensors, content)


def _read_legacy(file: BinaryIO) -> Any:
    magic = file.read(2)
    file.seek(0)
    if magic[:1] != b"\x80" or _Unpickler(file).load() != _LEGACY_MAGIC:
        raise ValueError("it begins as no file of torch.save does")
    _Unpickler(file).load()  # the version of the form
    _Unpickler(file).load()  # of the machine that wrote it
    value = _Unpickler(file).load()
    keys = _Unpickler(file).load()
    rest = memoryview(file.read())

    def content_of(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
        # Sizes stand before each storage, and only tensors tell the sizes of values.
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
            break  # of an object that was not made; what follows cannot be found
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
        raise ValueError("its tensors are far larger than what it holds")
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
        raise ValueError(f"the storage {storage.key} is not there") from error
    expected = storage.size * storage.dtype.itemsize
    if len(values) != expected:
        raise ValueError(
            f"the storage {storage.key} has {len(values)} bytes in place of {expected}"
        )
    return np.frombuffer(values, storage.dtype)


def _viewed(values: np.ndarray, tensor: Tensor, name: str) -> np.ndarray:
    steps = zip(tensor.shape, tensor.stride, strict=True)
    last = tensor.offset + sum((side - 1) * step for side, step in steps)
    if math.prod(tensor.shape) and last >= len(values):
        raise ValueError(f"{name} reaches beyond its storage")
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
    """Floats as float32, contiguous; whole numbers as they are."""
    if is_bfloat16:
        return (values.astype(np.uint32) << 16).view(np.float32)
    is_float = values.dtype.kind == "f"
    return np.ascontiguousarray(values, np.float32 if is_float else None)
