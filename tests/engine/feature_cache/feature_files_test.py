"""A cache's files are reused only if unchanged, and otherwise recomputed."""

import json
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from engine.feature_cache.feature_files import FeatureFiles

ROWS = 6
KINDS = [((ROWS, 2), np.float32), ((ROWS,), tf.bfloat16.as_numpy_dtype), ((ROWS,), int)]


def parts(first, last):
    rows = np.arange(first, last)
    return [np.stack([rows, -rows], 1), rows * 0.5, rows * 10]


def write(folder, num_rows=ROWS):
    folder.mkdir(parents=True, exist_ok=True)
    files = FeatureFiles(str(folder), KINDS)
    for first in range(files.num_done, num_rows, 2):
        files.append(parts(first, first + 2))
    files.flush()
    return folder


def reopened(folder):
    return FeatureFiles(str(folder), KINDS)


@pytest.mark.parametrize("num_rows", [0, 2, ROWS])
def test_what_was_written_is_taken(tmp_path, num_rows, caplog):
    files = reopened(write(tmp_path / "key", num_rows))
    assert files.num_done == num_rows
    for array, rows in zip(files.arrays, parts(0, num_rows), strict=True):
        np.testing.assert_array_equal(array[:num_rows].astype(float), rows)
    assert not caplog.records


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def change_json(folder, **values):
    path = folder / "progress.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def swap(folder, other):
    for name in ("0.bin", "1.bin", "2.bin"):
        shutil.copy(other / name, folder / name)


DAMAGES = {
    "0.bin is missing": lambda f, _: (f / "0.bin").unlink(),
    "1.bin has 5 bytes where 12 were written": lambda f, _: os.truncate(f / "1.bin", 5),
    "2.bin has 0 bytes": lambda f, _: os.truncate(f / "2.bin", 0),
    "0.bin has 60 bytes": lambda f, _: os.truncate(f / "0.bin", 60),
    "0.bin has changed since it was written": lambda f, _: flip(f / "0.bin", 5),
    "2.bin has changed since it was written": lambda f, _: flip(f / "2.bin", 8),
    "0.bin has changed since": swap,
    "progress.json is missing": lambda f, _: (f / "progress.json").unlink(),
    "progress.json is damaged": lambda f, _: (f / "progress.json").write_text('{"nu'),
    "json is damaged": lambda f, _: change_json(f, num_done=ROWS + 1),
    "n is damaged": lambda f, _: change_json(f, num_done=-1),
    "is damaged": lambda f, _: change_json(f, crc32=[0]),
    "damaged": lambda f, _: (f / "progress.json").write_text('{"num_done": 6}'),
    "progress.json belongs to another cache": lambda f, other: shutil.copy(
        other / "progress.json", f / "progress.json"
    ),
    "belongs to another cache": lambda f, other: (
        swap(f, other) or shutil.copy(other / "progress.json", f / "progress.json")
    ),
    "0.bin has changed": lambda f, _: change_json(f, crc32=[0, "x", None]),
}


@pytest.mark.parametrize("num_rows", [2, ROWS])
@pytest.mark.parametrize("said", DAMAGES)
def test_what_was_damaged_is_recomputed(tmp_path, said, num_rows, caplog):
    folder = write(tmp_path / "key", num_rows)
    other = tmp_path / "other"
    other.mkdir()
    files = FeatureFiles(str(other), KINDS)
    files.append(rows + 1 for rows in parts(0, num_rows))
    files.flush()
    DAMAGES[said](folder, other)
    assert reopened(folder).num_done == 0
    (line,) = (record.getMessage() for record in caplog.records)
    assert f"{said}" in line
    assert line.endswith("recomputing all features")
    whole = reopened(write(folder))
    assert whole.num_done == ROWS
    for array, rows in zip(whole.arrays, parts(0, ROWS), strict=True):
        np.testing.assert_array_equal(array.astype(float), rows)


def test_who_reads_damaged_files_keeps_them(tmp_path):
    """New files are created: nothing changes for a run that reads the old ones."""
    reader = reopened(write(tmp_path / "key"))
    (tmp_path / "key" / "progress.json").unlink()
    assert reopened(tmp_path / "key").num_done == 0
    np.testing.assert_array_equal(reader.arrays[2], np.arange(ROWS) * 10)


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    made = []

    def full(descriptor, start, size):
        made.append(size)
        if len(made) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space"):
        reopened(tmp_path)
    assert not list(tmp_path.iterdir())


def test_systems_that_cannot_make_room_ahead_make_files_of_the_size(
    tmp_path, monkeypatch
):
    monkeypatch.delattr(os, "posix_fallocate")
    whole = reopened(write(tmp_path))
    for array, rows in zip(whole.arrays, parts(0, ROWS), strict=True):
        np.testing.assert_array_equal(array.astype(float), rows)
