"""Which files a path means."""

import os

import pytest

from datasets.photos import photo_files


def _touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def _find(where):
    return photo_files.find(str(where)).paths


def test_a_folder_means_all_files_below_it_in_order(tmp_path):
    """Whether one is a photo its content decides, and no name: conversion's rule."""
    names = ("a/IMG_1", "a/notes.txt", "a/z.PNG", "b.jpg", "c.JPG.bak")
    _touch(tmp_path, *names, ".hidden.jpg", "@eaDir/t.jpg", "a/Thumbs.db")
    (tmp_path / "d.jpg").mkdir()
    found = photo_files.find(str(tmp_path))
    assert found.paths == [str(tmp_path / name) for name in (*names, "d.jpg")]
    assert found.num_ignored == 3
    assert not found.is_named


def test_linked_folders_are_entered_once_and_circles_end(tmp_path):
    _touch(tmp_path, "photos/1.jpg", "elsewhere/2.jpg", "elsewhere/deep/3.jpg")
    for name, target in (("loop", "."), ("other", "../elsewhere")):
        (tmp_path / "photos" / name).symlink_to(target)
    (tmp_path / "elsewhere" / "back").symlink_to("../photos")
    (tmp_path / "photos" / "twin").symlink_to("../elsewhere")
    expected = ["1.jpg", "other/2.jpg", "other/deep/3.jpg"]
    assert photo_files.below(str(tmp_path / "photos")).paths == expected
    found = _find(tmp_path / "photos" / "**" / "*.jpg")
    assert len(found) == 3


def test_patterns_take_photos_and_folders_at_any_depth(tmp_path):
    _touch(tmp_path, "1.webp", "a/2.jpg", "a/b/3.jpg", "a/b/3.txt")
    assert _find(tmp_path / "*") == [str(tmp_path / "1.webp")]
    assert photo_files.find(str(tmp_path / "*")).num_folders == 1
    found = _find(tmp_path / "**" / "*.jpg")
    assert found == [str(tmp_path / "a/2.jpg"), str(tmp_path / "a/b/3.jpg")]
    everything = photo_files.find(str(tmp_path / "**"))
    assert len(everything.paths) == 4
    assert everything.num_folders == 0
    assert _find(tmp_path / "a" / "**" / "b" / "*.jpg") == [str(tmp_path / "a/b/3.jpg")]
    assert _find(tmp_path / "*.gif") == []


def test_a_pattern_without_a_folder_begins_here(tmp_path, monkeypatch):
    _touch(tmp_path, "1.jpg", "a/2.jpg")
    monkeypatch.chdir(tmp_path)
    assert _find("**/*.jpg") == ["1.jpg", "a/2.jpg"]


def test_a_file_is_taken_at_its_word(tmp_path):
    _touch(tmp_path, "no_suffix", "odd[1].jpg")
    for name in ("no_suffix", "odd[1].jpg", "absent.jpg"):
        found = photo_files.find(str(tmp_path / name))
        assert found.paths == [str(tmp_path / name)]
        assert found.is_named


def test_an_empty_folder_has_none(tmp_path):
    assert _find(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_listed_is_told(tmp_path):
    _touch(tmp_path, "a/1.jpg", "b/2.jpg")
    (tmp_path / "a").chmod(0)
    found = photo_files.find(str(tmp_path))
    (tmp_path / "a").chmod(0o700)
    assert found.paths == [str(tmp_path / "b/2.jpg")]
    assert found.unreadable == [(str(tmp_path / "a"), "Permission denied")]


@pytest.mark.parametrize(
    ("name", "promised"),
    [
        ("a.JPG", True),
        ("a", True),
        ("a.heic", True),
        ("a.txt", False),
        ("a.mp4", False),
    ],
)
def test_what_a_name_promises(name, promised):
    assert photo_files.promises_photo(name) == promised
