"""What is remembered of a file, and that no change of it goes unnoticed."""

import os
import random

import pytest

from common.atomic_files import sha256
from datasets.records import file_states, record_frames

NAMES = ["a", "b"]


@pytest.fixture
def folder(tmp_path, write_records):
    for name in NAMES:
        write_records(tmp_path / name, [name.encode() * 50] * 3)
    return tmp_path


@pytest.fixture
def reads(monkeypatch):
    """The files that were read; every file is old enough to be remembered."""
    read: list[str] = []
    of_file = file_states._read

    def spy(path):
        read.append(os.path.basename(path))
        return of_file(path)

    monkeypatch.setattr(file_states, "_read", spy)
    monkeypatch.setattr(file_states, "_SECS_UNTIL_SURE", -1.0)
    return read


def look(folder):
    return file_states.look_at(str(folder), NAMES)


def test_a_state_is_the_files(folder):
    states = look(folder)
    assert [state.sha256 for state in states] == [sha256(folder / n) for n in NAMES]
    assert [state.frames for state in states] == [record_frames.Frames(3, None)] * 2
    assert states[0].num_bytes == os.path.getsize(folder / "a")


def test_an_untouched_file_is_read_once(folder, reads):
    first = look(folder)
    assert sorted(reads) == NAMES
    assert look(folder) == first
    assert sorted(reads) == NAMES


def test_a_file_that_has_just_changed_is_not_trusted(folder, reads, monkeypatch):
    monkeypatch.setattr(file_states, "_SECS_UNTIL_SURE", 3.0)
    look(folder)
    assert not (folder / file_states.FILENAME).exists()
    look(folder)
    assert sorted(reads) == sorted(NAMES * 2)


def test_one_changed_byte_anywhere_is_noticed(folder, reads):
    """In place, of the same size, with the time of change set back."""
    chance = random.Random(0)
    with open(folder / "a", "r+b") as file:
        file.truncate(20_000_000)
    before = look(folder)[0].sha256
    for _ in range(10):
        times = os.stat(folder / "a").st_atime_ns, os.stat(folder / "a").st_mtime_ns
        with open(folder / "a", "r+b") as file:
            file.seek(chance.randrange(20_000_000))
            file.write(bytes([chance.randrange(1, 256)]))
        os.utime(folder / "a", ns=times)
        after = look(folder)[0].sha256
        assert after == sha256(folder / "a") != before
        before = after


def test_another_file_in_its_place_is_noticed(folder, reads):
    look(folder)
    times = os.stat(folder / "a").st_atime_ns, os.stat(folder / "a").st_mtime_ns
    (folder / "c").write_bytes((folder / "b").read_bytes())
    os.utime(folder / "c", ns=times)
    os.replace(folder / "c", folder / "a")
    first, second = look(folder)
    assert first == second


@pytest.mark.parametrize("content", ["", "[]", '{"files": {"a": 1}}'])
def test_a_damaged_side_file_is_rewritten(folder, reads, content):
    first = look(folder)
    (folder / file_states.FILENAME).write_text(content)
    assert look(folder) == first
    assert sorted(reads) == sorted(NAMES * 2)
    assert look(folder) == first
    assert sorted(reads) == sorted(NAMES * 2)
