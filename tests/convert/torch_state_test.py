"""State dictionaries from files, with and without PyTorch."""

import json
import pickle
import sys
import types
from typing import Any

import numpy as np
import pytest

from convert import torch_state
from errors import UserError


def _safetensors(path, tensors):
    """Writes a file as the format's description has it: name -> (dtype, values)."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, (dtype, values) in tensors.items():
        end = len(body) + values.nbytes
        offsets = [len(body), end]
        header[name] = {
            "dtype": dtype,
            "shape": list(values.shape),
            "data_offsets": offsets,
        }
        body += values.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return str(path)


def test_safetensors_of_every_type(tmp_path):
    values = np.array([[1.5, -2.0, 3.25]], np.float32)
    path = _safetensors(
        tmp_path / "a.safetensors",
        {
            "single": ("F32", values),
            "module.half": ("F16", values.astype(np.float16)),
            "double": ("F64", values.astype(np.float64)),
            "brain": ("BF16", (values.view(np.uint32) >> 16).astype(np.uint16)),
            "count": ("I64", np.array(7, np.int64)),
        },
    )
    state = torch_state.read(path)
    assert set(state) == {"single", "half", "double", "brain", "count"}
    assert state["count"] == 7
    for name in ("single", "half", "double", "brain"):
        assert state[name].dtype == np.float32
        np.testing.assert_array_equal(state[name], values)


@pytest.mark.parametrize("content", [b"", b"\x50\x00\x00\x00\x00\x00\x00\x00{}"])
def test_a_damaged_file_is_one_line(content, tmp_path):
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(UserError, match="is damaged or no safetensors file"):
        torch_state.read(str(tmp_path / "a.safetensors"))


def test_cut_off_values_are_one_line(tmp_path):
    path = _safetensors(tmp_path / "a.safetensors", {"a": ("F32", np.ones(100))})
    (tmp_path / "a.safetensors").write_bytes(
        (tmp_path / "a.safetensors").read_bytes()[:-500]
    )
    with pytest.raises(UserError, match="is damaged or no safetensors file"):
        torch_state.read(path)


def test_a_missing_file_and_another_kind_are_one_line(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        torch_state.read(str(tmp_path / "none.safetensors"))
    with pytest.raises(UserError, match=r"give a \.safetensors, \.pth or \.pt file"):
        torch_state.read("weights.onnx")


def test_pytorchs_files_without_pytorch_say_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UserError, match=r"pip install .*\[torch\]"):
        torch_state.read("weights.pth")


class _Tensor:
    """As much of torch.Tensor as is used."""

    def __init__(self, values):
        self.values = values

    def is_floating_point(self):
        return self.values.dtype.kind == "f"

    def float(self):
        return _Tensor(self.values.astype(np.float32))

    def numpy(self):
        return self.values


@pytest.fixture
def torch(monkeypatch):
    """Stands in for PyTorch; `loads` is what its files hold."""
    module: Any = types.ModuleType("torch")
    module.Tensor = _Tensor

    def load(path, map_location, weights_only):
        assert weights_only, "a pickle could run anything"
        if isinstance(module.loads, Exception):
            raise module.loads
        return module.loads

    module.load = load
    monkeypatch.setitem(sys.modules, "torch", module)
    return module


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_the_dictionary_is_found_in_what_training_scripts_save(wrapper, torch):
    state = {
        "module.fc.weight": _Tensor(np.ones(2, np.float16)),
        "n": _Tensor(np.array(3)),
    }
    torch.loads = {wrapper: state, "epoch": 3} if wrapper else state
    read = torch_state.read("weights.pth")
    assert set(read) == {"fc.weight", "n"}
    assert read["fc.weight"].dtype == np.float32
    assert read["n"].dtype == np.int64


@pytest.mark.parametrize(
    ("loads", "message"),
    [
        ({"epoch": 3}, "holds no state dictionary"),
        (pickle.UnpicklingError("unsafe"), "holds more than tensors"),
        (RuntimeError("bad magic\nlong story"), r"of torch\.save \(bad magic\)$"),
        (FileNotFoundError(2, "No such file"), r"weights\.pt: No such file$"),
    ],
)
def test_what_pytorch_cannot_give_is_one_line(loads, message, torch):
    torch.loads = loads
    with pytest.raises(UserError, match=message):
        torch_state.read("weights.pt")
