"""Which files a path means."""

from datasets import photo_files


def _touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_a_folder_means_all_photos_below_it_in_order(tmp_path):
    _touch(tmp_path, "b.jpg", "a/z.PNG", "a/notes.txt", ".hidden.jpg", "@eaDir/t.jpg")
    found = photo_files.find(str(tmp_path))
    assert found == [str(tmp_path / "a/z.PNG"), str(tmp_path / "b.jpg")]


def test_patterns_take_photos_and_folders_at_any_depth(tmp_path):
    _touch(tmp_path, "1.webp", "a/2.jpg", "a/b/3.jpg", "a/b/3.txt")
    assert photo_files.find(str(tmp_path / "*")) == [str(tmp_path / "1.webp")]
    found = photo_files.find(str(tmp_path / "**" / "*.jpg"))
    assert found == [str(tmp_path / "a/2.jpg"), str(tmp_path / "a/b/3.jpg")]
    assert photo_files.find(str(tmp_path / "*.gif")) == []


def test_a_file_is_taken_at_its_word(tmp_path):
    _touch(tmp_path, "no_suffix", "odd[1].jpg")
    for name in ("no_suffix", "odd[1].jpg", "absent.jpg"):
        assert photo_files.find(str(tmp_path / name)) == [str(tmp_path / name)]


def test_an_empty_folder_has_none(tmp_path):
    assert photo_files.find(str(tmp_path)) == []
