"""Files as torch.save writes them, made without PyTorch."""

import io
import pickle
import zipfile
from collections import OrderedDict
from typing import Any

import numpy as np

_NAMES = {
    "<f4": "FloatStorage",
    "<f2": "HalfStorage",
    "<f8": "DoubleStorage",
    "<i8": "LongStorage",
    "<u2": "BFloat16Storage",
}


class Global:
    """Is pickled as the name of a class or function, called with arguments if any."""

    def __init__(self, module, name, *arguments):
        self.module, self.name, self.arguments = module, name, arguments


class Stored:
    """A tensor: a view of a storage's values."""

    def __init__(self, values, shape=None, stride=None, offset=0, key=None):
        self.values = np.asarray(values)
        self.shape = self.values.shape if shape is None else shape
        ones = np.cumprod((1, *self.shape[:0:-1]))[::-1]
        self.stride = (
            tuple(map(int, ones))[: len(self.shape)] if stride is None else stride
        )
        self.offset, self.key = offset, key or str(id(self))


_PicklerOfPython: Any = pickle._Pickler  # type: ignore[attr-defined,unused-ignore]


class _Pickler(_PicklerOfPython):
    def __init__(self, file, storages):
        super().__init__(file, 2)
        self.storages = storages

    def save(self, value, save_persistent_id=True):
        if isinstance(value, Global):
            self.write(f"c{value.module}\n{value.name}\n".encode())
            if value.arguments:
                self.save(value.arguments)
                self.write(b"R")
        elif isinstance(value, Stored):
            self.storages[value.key] = value.values
            self.write(b"ctorch._utils\n_rebuild_tensor_v2\n(")
            kind = Global("torch", _NAMES[value.values.dtype.str])
            self.save(("storage", kind, value.key, "cpu", value.values.size))
            self.write(b"Q")
            hooks: Any = OrderedDict()
            for part in (value.offset, value.shape, value.stride, False, hooks):
                self.save(part)
            self.write(b"tR")
        else:
            super().save(value, save_persistent_id)


def write(path, value, *, sizes=None):
    """A zip archive of torch.save; `sizes` cuts storages to so many bytes."""
    storages: dict[str, np.ndarray] = {}
    stream = io.BytesIO()
    _Pickler(stream, storages).dump(value)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", stream.getvalue())
        for key, values in storages.items():
            content = values.tobytes()[: (sizes or {}).get(key)]
            archive.writestr(f"archive/data/{key}", content)
    return str(path)


def write_legacy(path, value):
    """The form before PyTorch 1.6: pickles, and storages behind them."""
    storages: dict[str, np.ndarray] = {}
    with open(path, "wb") as file:
        pickle.dump(0x1950A86A20F9469CFC6C, file, 2)
        pickle.dump(1001, file, 2)
        pickle.dump({"little_endian": True}, file, 2)
        _Pickler(file, storages).dump(value)
        pickle.dump(list(storages), file, 2)
        for values in storages.values():
            file.write(values.size.to_bytes(8, "little") + values.tobytes())
    return str(path)
