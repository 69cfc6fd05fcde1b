"""State dictionaries from files, read without PyTorch and without running anything."""

import json
from collections import OrderedDict
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from convert.from_torch import state_dict
from errors import UserError
from tests.convert import torch_files
from tests.convert.torch_files import Global, Stored


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
    state = state_dict.read(path)
    assert set(state) == {"single", "half", "double", "brain", "count"}
    assert state["count"] == 7
    for name in ("single", "half", "double", "brain"):
        assert state[name].dtype == np.float32
        np.testing.assert_array_equal(state[name], values)


@pytest.mark.parametrize("content", [b"", b"\x50\x00\x00\x00\x00\x00\x00\x00{}"])
def test_a_damaged_file_is_one_line(content, tmp_path):
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(UserError, match="is damaged or not a safetensors file"):
        state_dict.read(str(tmp_path / "a.safetensors"))


def test_cut_off_values_are_one_line(tmp_path):
    path = _safetensors(
        tmp_path / "a.safetensors", {"a": ("F32", np.ones(100, np.float32))}
    )
    (tmp_path / "a.safetensors").write_bytes(
        (tmp_path / "a.safetensors").read_bytes()[:-40]
    )
    with pytest.raises(UserError, match="is damaged or not a safetensors file"):
        state_dict.read(path)


def test_a_missing_file_and_another_kind_are_one_line(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        state_dict.read(str(tmp_path / "none.safetensors"))
    with pytest.raises(UserError, match=r"give a \.safetensors, \.pth or \.pt file"):
        state_dict.read("weights.onnx")


def _header(path, header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return str(path)


def _entry(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"a": _entry([2], 0, 4)}, r"a has 4 bytes, its shape \[2\] needs 8"),
        ({"a": _entry([2], -8, 0)}, "not sizes"),
        ({"a": _entry([True], 0, 4)}, "not sizes"),
        ({"a": _entry([-1, -1], 0, 4)}, "not sizes"),
        ({"a": _entry([2], 8, 0)}, "-8 bytes"),
        ({"a": _entry([2], 0, 8), "b": _entry([1], 4, 8)}, "b overlap others"),
        ({"a": _entry([1], 0, 4), "b": _entry([1], 8, 12)}, "leave a gap"),
        ({"a": _entry([5], 0, 20)}, "need 20 bytes, the file has 12"),
        ({"a": _entry([1], 0, 4)}, "need 4 bytes, the file has 12"),
        ({"a": _entry([12], 0, 12, "F8_E4M3")}, "has dtype F8_E4M3, expected one"),
        ({"a": {"dtype": "F32"}}, "does not have dtype, shape and"),
        ([1], "not a JSON object"),
        (b'{"a": {}, "a": {}}', "a name twice"),
        (b"[" * 100_000, "nested too deeply"),
        (b"\xff\xff", "codec"),
    ],
)
def test_a_header_that_contradicts_the_file_is_refused(header, reason, tmp_path):
    path = _header(tmp_path / "a.safetensors", header, bytes(12))
    with pytest.raises(UserError, match=f"is damaged or not a safetensors .*{reason}"):
        state_dict.read(path)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["dtype", "shape", "data_offsets", "a"]), inner, max_size=3
        )
    ),
)


@hypothesis.given(
    st.dictionaries(st.text(max_size=3), _JSON, max_size=3) | _JSON, st.binary()
)
@hypothesis.settings(max_examples=100, deadline=None)
def test_whatever_the_header_says_is_read_or_refused(tmp_path_factory, header, body):
    path = tmp_path_factory.mktemp("fuzz") / "a.safetensors"
    try:
        state = state_dict.read(_header(path, header, body))
    except UserError:
        return
    assert all(isinstance(values, np.ndarray) for values in state.values())


KERNEL = np.arange(16, dtype="<f4").reshape(4, 4, 1, 1)


@pytest.mark.parametrize("write", [torch_files.write, torch_files.write_legacy])
def test_what_torch_saves_is_read_without_it(write, tmp_path):
    bits = (KERNEL.view(np.uint32) >> 16).astype("<u2")
    state = OrderedDict(
        half=Stored(KERNEL.astype("<f2")),
        brain=Stored(bits),
        double=Stored(KERNEL.astype("<f8")),
        count=Stored(np.array(7, "<i8")),
        turned=Stored(KERNEL, (4, 4, 1, 1), (1, 4, 1, 1), key="shared"),
        part=Stored(KERNEL, (2, 1), (8, 1), offset=5, key="shared"),
        spread=Stored(np.array([3], "<f4"), (64,), (0,)),
    )
    read = state_dict.read(write(tmp_path / "a.pth", state))
    for name in ("half", "brain", "double"):
        assert read[name].dtype == np.float32
        np.testing.assert_array_equal(read[name], KERNEL)
    assert read["count"] == 7
    np.testing.assert_array_equal(read["turned"], KERNEL.swapaxes(0, 1))
    assert read["part"].tolist() == [[5], [13]]
    assert read["spread"].tolist() == 64 * [3]


def _state(value):
    return {"conv.weight": Stored(np.full((1, 1, 1, 1), value, "<f4"))}


@pytest.mark.parametrize(
    "wrapper", ["state_dict", "model_state_dict", "model", "net", "network", "module"]
)
def test_the_dictionary_is_found_in_what_training_scripts_save(wrapper, tmp_path):
    arguments = Global("argparse", "Namespace")
    optimizer = {"state": {0: {"step": 3, "exp_avg": Stored(KERNEL)}}}
    saved = {"epoch": 3, "args": arguments, "optimizer": optimizer, wrapper: _state(2)}
    state = state_dict.read(torch_files.write(tmp_path / "a.pth", saved))
    assert {name: values.item() for name, values in state.items()} == {"conv.weight": 2}


@pytest.mark.parametrize(
    ("ema", "key"),
    [
        (_state(5), "{}"),
        ({"module": _state(5)}, "{}.module"),
        ({"n_averaged": Stored(np.array(1, "<i8"))} | _state(5), "{}"),
    ],
)
@pytest.mark.parametrize("name", ["state_dict_ema", "model_ema", "ema"])
def test_of_weights_and_their_average_the_taken_ones_are_said(
    name, ema, key, tmp_path, caplog
):
    path = torch_files.write(tmp_path / "a.pth", {"state_dict": _state(2), name: ema})
    assert state_dict.read(path)["conv.weight"].item() == 2
    key = key.format(name)
    assert f"the weights state_dict of {path}" in caplog.text
    assert f"use them with --state_dict_key={key}" in caplog.text
    state = state_dict.read(path, key)
    assert {n: v.item() for n, v in state.items()} == {"conv.weight": 5}
    with pytest.raises(
        UserError, match="no such dictionary of tensors; it has state_d"
    ):
        state_dict.read(path, "none")


def test_of_two_nets_none_is_taken_silently(tmp_path):
    both = {"teacher": _state(1), "student": _state(2)}
    path = torch_files.write(tmp_path / "a.pth", both)
    with pytest.raises(
        UserError, match="teacher, student: choose one with --state_dict_k"
    ):
        state_dict.read(path)


def test_prefixes_of_parallel_and_compiled_nets_go(tmp_path):
    one = Stored(np.ones(1, "<f4"))
    saved = {"module._orig_mod.a.weight": one, "b._orig_mod.weight": one}
    path = torch_files.write(tmp_path / "a.pth", saved)
    assert set(state_dict.read(path)) == {"a.weight", "b.weight"}
    saved = {"module.a.weight": one, "a.weight": one}
    path = torch_files.write(tmp_path / "b.pth", saved)
    with pytest.raises(UserError, match=r"two tensors named a\.weight"):
        state_dict.read(path)


@pytest.mark.parametrize("write", [torch_files.write, torch_files.write_legacy])
def test_a_pickle_runs_nothing(write, tmp_path):
    marker = tmp_path / "ran"
    for module, name in (("os", "system"), ("posix", "system"), ("builtins", "eval")):
        command = (
            f"touch {marker}" if name == "system" else f"open({str(marker)!r}, 'w')"
        )
        saved = {"state_dict": _state(2), "args": Global(module, name, command)}
        state = state_dict.read(write(tmp_path / "a.pth", saved))
        assert state["conv.weight"].item() == 2
        assert not marker.exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"epoch": 3}, r"^\S+ holds no tensors, not a state dictionary"),
        (
            Global("mine", "Net", 1),
            r"^\S+ holds a whole model \(mine\.Net\), .*save model",
        ),
        ({"a": Stored(KERNEL, (5, 4), (4, 1))}, "a extends beyond its storage"),
        ({"a": Stored(KERNEL, (2,), (-1,))}, "not sizes"),
        ({"a": Stored(KERNEL, (10**9, 10**9), (0, 0))}, "far larger than its storages"),
    ],
)
def test_what_is_no_state_dictionary_is_one_line(value, message, tmp_path):
    with pytest.raises(UserError, match=message):
        state_dict.read(torch_files.write(tmp_path / "a.pth", value))


def test_storages_of_another_size_and_other_files_are_refused(tmp_path):
    state = {"a": Stored(KERNEL, key="0")}
    path = torch_files.write(tmp_path / "a.pth", state, sizes={"0": 60})
    with pytest.raises(UserError, match="storage 0 has 60 bytes, expected 64"):
        state_dict.read(path)
    for content in (
        b"",
        b"PK\x05\x06" + bytes(18),
        b"\x80\x02.",
        b"text",
        b"\x80\x02K\x01.",
    ):
        (tmp_path / "a.pth").write_bytes(content)
        with pytest.raises(UserError, match=r"is damaged or not a file of torch\.save"):
            state_dict.read(path)
    (tmp_path / "folder.pt").mkdir()
    with pytest.raises(UserError, match="is not a file: give one"):
        state_dict.read(str(tmp_path / "folder.pt"))
