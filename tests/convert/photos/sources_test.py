import dataclasses
import os

import pytest

from common.untrusted_text import CsvWriter
from convert.photos import sources
from convert.photos.splits import Fractions
from convert.tfrecords.rejections import Kind
from datasets.photos import photo_bytes
from errors import UserError


def touch(root, *names, content=b"x"):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def listing(found):
    return [(source.name, source.class_name, source.split) for source in found.sources]


def rejected(found):
    return {entry.name: (entry.kind, entry.reason) for entry in found.rejections}


def test_class_folders(tmp_path):
    touch(tmp_path, "dog/b.jpg", "cat/2.png", "cat/10.png", "cat/more/deep/1.gif")
    (tmp_path / "empty").mkdir()
    found = sources.find_in_folder(str(tmp_path))
    assert listing(found) == [
        ("cat/10.png", "cat", None),
        ("cat/2.png", "cat", None),
        ("cat/more/deep/1.gif", "cat", None),
        ("dog/b.jpg", "dog", None),
    ]
    assert found.classes == {"cat", "dog", "empty"}
    assert found.sources[0].path == str(tmp_path / "cat/10.png")
    assert found.sources[0].num_bytes == 1


def test_odd_names(tmp_path):
    names = ["a b/c d.jpg", "ä 山/ü.jpg", "two\nlines/a\nb.jpg", "c:d,e/\"'.jpg", " / "]
    touch(tmp_path, *names)
    (tmp_path / os.fsdecode(b"\xff")).mkdir()
    (tmp_path / os.fsdecode(b"\xff") / os.fsdecode(b"\xfe.jpg")).write_bytes(b"x")
    found = sources.find_in_folder(str(tmp_path))
    expected = {(name, name.partition("/")[0], None) for name in names}
    expected.add(("\udcff/\udcfe.jpg", "\udcff", None))
    assert set(listing(found)) == expected


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("train", "validation", "test"), ("train", "validation", "test")),
        (("Training", "val"), ("train", "validation")),
        (("testing", "valid", "train"), ("test", "validation", "train")),
        (("validation", "test"), ("validation", "test")),
    ],
)
def test_split_folders(tmp_path, names, splits):
    touch(tmp_path, *(f"{name}/cat/1.jpg" for name in names), "note.txt")
    found = sources.find_in_folder(str(tmp_path))
    expected = {
        (f"{name}/cat/1.jpg", "cat", split)
        for name, split in zip(names, splits, strict=True)
    }
    assert set(listing(found)) == expected
    assert found.classes == {"cat"}
    assert rejected(found)["note.txt"][0] == Kind.MISPLACED


def test_a_class_may_be_called_like_a_split(tmp_path):
    touch(tmp_path, "train/1.jpg", "bus/1.jpg", "test/paper/1.jpg")
    found = sources.find_in_folder(str(tmp_path), splits="none")
    assert {(name, split) for _, name, split in listing(found)} == {
        ("train", None),
        ("bus", None),
        ("test", None),
    }


def test_splits_next_to_classes_are_refused(tmp_path):
    touch(tmp_path, "train/cat/1.jpg", "dog/1.jpg")
    with pytest.raises(
        UserError, match="'train' with folders inside and 'dog' next to"
    ):
        sources.find_in_folder(str(tmp_path))


def test_files_that_are_no_photos_at_a_glance(tmp_path, monkeypatch):
    monkeypatch.setattr(photo_bytes, "MAX_FILE_BYTES", 3)
    touch(tmp_path, "cat/good.jpg", "cat/.hidden", "cat/Thumbs.db", "loose.jpg")
    touch(tmp_path, "cat/empty.jpg", content=b"")
    touch(tmp_path, "cat/huge.jpg", "cat/film.mov", content=b"1234")
    touch(tmp_path, "cat/labels.txt", "cat/no_suffix", content=b"")
    (tmp_path / "cat/folder.jpg").mkdir()
    (tmp_path / "cat/link.jpg").symlink_to("nowhere")
    os.mkfifo(tmp_path / "cat/pipe.jpg")
    found = sources.find_in_folder(str(tmp_path))
    assert [name for name, *_ in listing(found)] == ["cat/good.jpg"]
    assert found.num_ignored == 2
    assert {name: kind for name, (kind, _) in rejected(found).items()} == {
        "loose.jpg": Kind.MISPLACED,
        "cat/empty.jpg": Kind.EMPTY,
        "cat/huge.jpg": Kind.TOO_LARGE,
        "cat/film.mov": Kind.NOT_A_PHOTO,
        "cat/labels.txt": Kind.NOT_A_PHOTO,
        "cat/no_suffix": Kind.EMPTY,
        "cat/folder.jpg": Kind.UNREADABLE,
        "cat/link.jpg": Kind.UNREADABLE,
        "cat/pipe.jpg": Kind.UNREADABLE,
    }
    assert rejected(found)["cat/link.jpg"][1] == "a dangling link"


def test_links_are_followed_once(tmp_path):
    touch(tmp_path, "photos/cat/1.jpg", "elsewhere/2.jpg")
    (tmp_path / "photos/cat/loop").symlink_to("..")
    (tmp_path / "photos/cat/other").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos/cat/again").symlink_to(tmp_path / "elsewhere")
    found = sources.find_in_folder(str(tmp_path / "photos"))
    names = [name for name, *_ in listing(found)]
    assert names.count("cat/1.jpg") == 1
    assert sum(name.endswith("2.jpg") for name in names) == 1


def test_no_directory(tmp_path):
    touch(tmp_path, "file")
    for name in ("absent", "file"):
        with pytest.raises(UserError, match=f"image_dir=.*{name} is not a folder"):
            sources.find_in_folder(str(tmp_path / name))


def write_csv(root, text, encoding="utf-8"):
    path = root / "list.csv"
    path.write_bytes(text.encode(encoding))
    return str(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_csv(tmp_path, encoding, line_end):
    touch(tmp_path, "a b.jpg", "sub/ü.jpg", "c,d.jpg", "two\nlines.jpg")
    absolute = tmp_path / "sub/ü.jpg"
    rows = [
        "note, path,label,split",
        f"x,{absolute},cat,val",
        'x,"c,d.jpg",dog,',
        "x,a b.jpg, cat,TRAIN",
        'x,"two\nlines.jpg"," dog\nhouse",test',
    ]
    path = write_csv(tmp_path, line_end.join(rows), encoding)
    assert listing(sources.find_in_csv(path, None)) == sorted(
        [
            (str(absolute), "cat", "validation"),
            ("c,d.jpg", "dog", None),
            ("a b.jpg", "cat", "train"),
            ("two\nlines.jpg", " dog\nhouse", "test"),
        ]
    )


def test_csv_paths_begin_at_image_dir(tmp_path):
    touch(tmp_path, "here/1.jpg")
    path = write_csv(tmp_path, "path,label\n1.jpg,cat\n2.jpg,dog\na\0b.jpg,dog\n")
    found = sources.find_in_csv(path, str(tmp_path / "here"))
    assert listing(found) == [("1.jpg", "cat", None)]
    assert rejected(found)["2.jpg"] == (Kind.UNREADABLE, "No such file or directory")
    assert rejected(found)["a\0b.jpg"][0] == Kind.UNREADABLE
    assert found.classes == {"cat", "dog"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column label and no path.*it names nothing"),
        ("a.jpg,cat\n", "no column label and no path.*it names a.jpg, cat"),
        ("path;label\na.jpg;cat\n", "it names path;label"),
        ("path,class\na.jpg,cat\n", "no column label:"),
        ("path,label\na.jpg,cat\nb.jpg\n", "line 3 has no label"),
        ("path,label\n,cat\n", "line 2 has no path"),
        ("path,label,split\na,cat,dev\n", "line 2 has the split 'dev': use train, val"),
        ("path,label,split\na,cat,0\n", "line 2 has the split '0': use train, val"),
        ("path;label\na.jpg;cat\n", "separated by semicolons: save it with commas"),
        ("path\tlabel\na.jpg\tcat\n", "separated by tabs"),
        ("a.jpg,cat\nb.jpg,dog\n", "that is a photo: put the line path,label above"),
        ("file,Class\na,cat\n", "rename 'file' to 'path', rename 'Class' to 'label'"),
        ("path,label,Label\na,b,c\n", r"has 2 columns label \(label, Label\)"),
        ("path,label\na,cat, black\n", "line 2 has 3 cells, .* 2 columns: put text"),
        ('path,label\na," "\n', "line 2 has no label"),
        ("path,label\na,cat\nb,NaN\nc,nan\n", "label 'NaN', .* in line 3, 4: give the"),
        ("path,label\na,None\n", "label 'None', which means a missing one"),
        ("p\0a\0t\0h\0", "is not UTF-8 text, but UTF-16"),
        ("path,label,fold\na,cat,0\nb,dog,1\n", "column 'fold' with '0', '1': if it"),
        ("path,label,x\na,cat,train\nb,dog,test\n", "'x' with 'test', 'train': if it"),
        ("path,label,is_valid\na,cat,True\n", "'is_valid' .*; if not, give --splits="),
        (
            "path,label,set,phase\na,b,train,val\n",
            "set and phase, which both hold",
        ),
    ],
)
def test_wrong_csv_files_are_explained(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        sources.find_in_csv(write_csv(tmp_path, text), None)


@pytest.mark.parametrize("column", ["split", "Split", " SET", "fold", "Usage", "phase"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_columns_that_say_splits(tmp_path, column, encoding):
    touch(tmp_path, "1.jpg", "2.jpg", "3.jpg")
    rows = f"Path,LABEL,{column}\n1.jpg,ä,Train\n2.jpg,ä,VALID\n3.jpg,ä,\n"
    found = sources.find_in_csv(write_csv(tmp_path, rows, encoding), None)
    splits = {"1.jpg": "train", "2.jpg": "validation", "3.jpg": None}
    assert listing(found) == [(name, "ä", split) for name, split in splits.items()]


def test_a_column_of_splits_can_be_told(tmp_path):
    touch(tmp_path, "1.jpg")
    path = write_csv(tmp_path, "path,label,split,x\n1.jpg,cat,train,test\n")
    assert listing(sources.find_in_csv(path, None)) == [("1.jpg", "cat", "train")]
    found = sources.find_in_csv(path, None, split_column="x")
    assert listing(found) == [("1.jpg", "cat", "test")]
    found = sources.find_in_csv(path, None, divided=False)
    assert listing(found) == [("1.jpg", "cat", None)]
    with pytest.raises(UserError, match=r"column=splt: .*did you mean split"):
        sources.find_in_csv(path, None, split_column="splt")


def test_paths_of_windows(tmp_path):
    touch(tmp_path, "cats/1.jpg", "odd\\1.jpg")
    names = [
        r"cats\1.jpg",
        r"cats\2.jpg",
        r"odd\1.jpg",
        "C:/1.jpg",
        "https://x.y/1.jpg",
    ]
    rows = "".join(f"{name},cat\n" for name in names)
    path = write_csv(tmp_path, "path,label\n" + rows)
    found = sources.find_in_csv(path, None)
    assert [source.path for source in found.sources] == [
        str(tmp_path / "cats/1.jpg"),
        str(tmp_path / r"odd\1.jpg"),
    ]
    reasons = {name: reason for name, (_, reason) in rejected(found).items()}
    assert "a Windows path: write it with '/'" in reasons[r"cats\2.jpg"]
    assert "a Windows path" in reasons["C:/1.jpg"]
    assert "it is a URL" in reasons["https://x.y/1.jpg"]


def test_labels_that_stand_for_none_can_be_classes(tmp_path):
    touch(tmp_path, "1.jpg")
    path = write_csv(tmp_path, "path,label\n1.jpg,none\n")
    found = sources.find_in_csv(path, None, any_label=True)
    assert found.classes == {"none"}


def test_csv_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UserError, match=r"absent\.csv cannot be read: No such file"):
        sources.find_in_csv(str(tmp_path / "absent.csv"), None)
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        sources.find_in_csv(str(tmp_path), None)
    path = write_csv(tmp_path, "path,label\nä.jpg,cat\n", "latin-1")
    with pytest.raises(UserError, match=r"is not UTF-8 text.*save it as CSV in UTF-8"):
        sources.find_in_csv(path, None)


def test_names_that_a_csv_of_ours_marks_as_text(tmp_path):
    """Of a formula's look, as `CsvWriter` writes them."""
    touch(tmp_path, "=a.png", "-1.png")
    with open(tmp_path / "list.csv", "w", encoding="utf-8", newline="") as file:
        writer = CsvWriter(file)
        writer.write_rows([["path", "label"], ["=a.png", "@x"], ["-1.png", "'=y"]])
    found = sources.find_in_csv(str(tmp_path / "list.csv"), None)
    assert found.classes == {"@x", "'=y"}
    assert [source.name for source in found.sources] == ["-1.png", "=a.png"]
    assert all(os.path.isfile(source.path) for source in found.sources)


def test_lines_that_repeat_others_are_said(tmp_path, caplog):
    touch(tmp_path, "1.jpg", "2.jpg")
    lines = "path,label,split\n1.jpg,a,train\n2.jpg,b,\n./1.jpg,a,train\n1.jpg,a,test\n"
    found = sources.find_in_csv(write_csv(tmp_path, lines), None)
    assert len(found.sources) == 4
    (message,) = caplog.messages
    assert (
        "lists photos repeatedly, in 1 lines, such as ./1.jpg in line 4 as in line 2"
        in message
    )


@pytest.mark.parametrize(
    ("change", "fractions"),
    [
        ({}, Fractions(0.2, 0.0)),
        ({"test_fraction": 0.1}, Fractions(0.2, 0.1)),
        ({"test_fraction": 0.9}, Fractions(0.0, 0.9)),
        ({"validation_fraction": 0.0}, Fractions(0.0, 0.0)),
    ],
)
def test_fractions_of_undivided_photos(settings, change, fractions):
    found, found_fractions = sources.find(dataclasses.replace(settings, **change))
    assert found_fractions == fractions
    assert {source.split for source in found.sources} == {None}


def divide(folder, *splits):
    """Moves the class folders below a split, and the first class below others."""
    inside = folder / splits[0]
    inside.mkdir()
    for name in ("cat", "dog"):
        (folder / name).rename(inside / name)
    for split in splits[1:]:
        (folder / split / "cat").mkdir(parents=True)
        (folder / split / "cat" / "new.jpg").write_bytes(b"x")


def test_given_splits_are_left_alone(settings, photo_folder):
    divide(photo_folder, "train", "test")
    found, fractions = sources.find(settings)
    assert fractions == Fractions(0.0, 0.0)
    assert {source.split for source in found.sources} == {"train", "test"}


def test_a_split_can_be_taken_from_train(settings, photo_folder):
    divide(photo_folder, "train", "test")
    settings = dataclasses.replace(settings, validation_fraction=0.25)
    found, fractions = sources.find(settings)
    assert fractions == Fractions(0.25, 0.0)
    assert {source.split for source in found.sources} == {None, "test"}
    settings = dataclasses.replace(settings, test_fraction=0.25)
    with pytest.raises(
        UserError, match=r"--test_fraction=0.25, but .* already has a split test"
    ):
        sources.find(settings)


def test_nothing_found_is_explained(settings, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match=r"expected a folder for each class.*none"):
        sources.find(dataclasses.replace(settings, image_dir=str(empty)))
    (empty / "a.jpg").write_bytes(b"x")
    with pytest.raises(UserError, match="only 1 other files"):
        sources.find(dataclasses.replace(settings, image_dir=str(empty)))
    csv_file = empty / "list.csv"
    settings = dataclasses.replace(settings, image_dir=None, csv_file=str(csv_file))
    csv_file.write_text("path,label\n")
    with pytest.raises(UserError, match="lists no photos"):
        sources.find(settings)
    csv_file.write_text("path,label\nb.jpg,b\nc.jpg,c\n")
    with pytest.raises(
        UserError, match=r"none of the 2 .* 'b.jpg' .*No such file.*start from"
    ):
        sources.find(settings)
