"""Nothing but a file of a photo is opened, and nothing large is read in vain."""

import os
import socket
import tracemalloc

import pytest

from datasets.photos import file_heads, photo_bytes
from datasets.photos.unfit_photos import (
    EmptyPhotoError,
    NotAPhotoError,
    TooLargeFileError,
    UnfitPhotoError,
    UnreadablePhotoError,
)
from tests.convert.sample_photos import encode, pixels


def test_a_photo_is_read_whole(tmp_path):
    data = encode(pixels(0, 90, 90), "BMP")
    assert len(data) > file_heads.NUM_BYTES
    (tmp_path / "a.bmp").write_bytes(data)
    assert photo_bytes.read(str(tmp_path / "a.bmp")) == data
    assert photo_bytes.look(str(tmp_path / "a.bmp")) == len(data)


@pytest.fixture
def odd(tmp_path):
    """What may have the name of a photo and is none."""
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as end:
        here = os.getcwd()
        os.chdir(tmp_path)  # a socket's path must be short
        end.bind("socket.jpg")
        os.chdir(here)
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "link.jpg").symlink_to("nowhere")
    (tmp_path / "circle.jpg").symlink_to("circle.jpg")
    (tmp_path / "pipe link.jpg").symlink_to("pipe.jpg")
    with open(tmp_path / "huge.jpg", "wb") as file:
        file.write(b"\xff\xd8\xff")
        file.truncate(4 << 30)  # no room on the disk is taken
    return tmp_path


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("pipe.jpg", UnreadablePhotoError, "a named pipe, not a regular file"),
        ("pipe link.jpg", UnreadablePhotoError, "a named pipe"),
        ("socket.jpg", UnreadablePhotoError, "a socket"),
        ("device.jpg", UnreadablePhotoError, "a device"),
        ("folder.jpg", UnreadablePhotoError, "a folder"),
        ("empty.jpg", EmptyPhotoError, "the file is empty"),
        ("link.jpg", UnreadablePhotoError, "dangling link"),
        ("circle.jpg", UnreadablePhotoError, "link"),
        ("absent.jpg", UnreadablePhotoError, "No such file"),
        ("a\0b.jpg", UnreadablePhotoError, "null"),
        ("huge.jpg", TooLargeFileError, "4096 MiB; the limit is 512 MiB"),
    ],
)
def test_what_is_no_file_is_refused_at_a_glance(odd, name, kind, reason):
    for function in (photo_bytes.look, photo_bytes.read):
        with pytest.raises(UnfitPhotoError, match=reason) as caught:
            function(str(odd / name))
        assert caught.type == kind


def test_a_pipe_in_place_of_a_file_is_not_waited_for(odd, monkeypatch):
    """As one that took the file's place after the first look."""
    monkeypatch.setattr(photo_bytes, "look", lambda path: 1)
    with pytest.raises(UnreadablePhotoError, match="a named pipe"):
        photo_bytes.read(str(odd / "pipe.jpg"))


def test_of_what_is_no_photo_the_head_alone_is_read(tmp_path):
    path = tmp_path / "film.jpg"
    with open(path, "wb") as file:
        file.write(b"\x1aE\xdf\xa3")
        file.truncate(400 << 20)
    tracemalloc.start()
    with pytest.raises(NotAPhotoError, match="a video"):
        photo_bytes.read(str(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20
