import os

import pytest

from convert.photos import folder_layout, sources
from datasets.photos import photo_files
from errors import UserError


def read(root, files="", **flags):
    """The classes of a folder with these files, as in "cat:train dog:train"."""
    for name in files.split():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = folder_layout.read(str(root), **flags).classes
    return " ".join(sorted({f"{e.class_name}:{e.split or ''}" for e in found}))


@pytest.mark.parametrize(
    ("files", "classes"),
    [
        # Splits within a folder of the same sort, as archives unpack.
        (
            "train_set/train_set/a/1.jpg test_set/test_set/a/1.jpg",
            "a:test a:train",
        ),
        ("seg_train/seg_train/a/1.jpg seg_test/seg_test/a/1.jpg", "a:test a:train"),
        ("data/train/a/1.jpg data/val/a/1.jpg", "a:train a:validation"),
        ("train/x/a/1.jpg test/x/a/1.jpg", "a:test a:train"),
        # A folder around all class folders.
        ("photos/cat/1.jpg photos/dog/1.jpg", "cat: dog:"),
        # Splits in each class.
        ("a/train/1.jpg a/test/1.jpg b/train/1.jpg", "a:test a:train b:train"),
        (
            "a/a_train/1.jpg a/a_val/1.jpg b/b_train/1.jpg b/b_val/1.jpg b/notes.txt",
            "a:train a:validation b:train b:validation",
        ),
        # Classes that are called like splits, among others of their kind.
        ("train/1.jpg bus/1.jpg", "bus: train:"),
        ("test_tube/1.jpg train_station/1.jpg", "test_tube: train_station:"),
        (
            "train/train/1.jpg train/bus/1.jpg val/train/1.jpg val/bus/1.jpg",
            "bus:train bus:validation train:train train:validation",
        ),
        # A folder within a class, which leaves no doubt.
        ("cat/images/1.jpg dog/images/1.jpg", "cat: dog:"),
        ("cat/1.jpg cat/more/deep/1.jpg dog/1.jpg", "cat: dog:"),
        # What holds no photos does not count.
        ("train/a/1.jpg val/a/1.jpg annotations/a.json", "a:train a:validation"),
    ],
)
def test_plain_layouts(tmp_path, files, classes):
    assert read(tmp_path, files) == classes


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            "train/cat.1.jpg test/1.jpg",
            "'test' and 'train' hold photos, but no class folders.*give --splits=none",
        ),
        ("train/train/cat.1.jpg", "'train' holds photos, but no class folders"),
        ("seg_train/1.jpg seg_test/1.jpg", "'seg_test' and 'seg_train' hold photos"),
        (
            "train/a/1.jpg train/b/1.jpg test/1.jpg",
            "'test' holds photos, but no class folders.*give --image_dir=.*/train",
        ),
        (
            "train/a/1.jpg test/a/1.jpg val/1.jpg",
            "'val' holds photos, but no class folders.*omit them, move them",
        ),
        ("train/a/1.jpg b/1.jpg", "'train' with folders inside and 'b' next to it"),
        ("seg_train/a/1.jpg b/1.jpg", "'seg_train' with folders inside and 'b'"),
        ("a/1.jpg b/1.jpg test/1.jpg", "'test' with photos inside and 'a' next to it"),
        ("a/1.jpg holdout/1.jpg", "'holdout' with photos inside and 'a' next to it"),
        ("train/a/1.jpg holdout/a/1.jpg", "'holdout' with folders inside: if it is"),
        (
            "train/a/1.jpg test/a/1.jpg extra/a/1.jpg",
            "'test' with folders inside and 'extra' next to it.*if it is a class, give",
        ),
        (
            "animals/cat/1.jpg animals/dog/1.jpg plants/1.jpg",
            "/animals holds folders of photos, 'cat' and 'dog': give --classes=top if"
            " all are of the class 'animals', or --classes=nested .* 'animals/cat'",
        ),
        ("a/1.jpg a/b/1.jpg a/c/1.jpg d/1.jpg", "/a holds folders of photos, 'b' and"),
        ("train/a/b/1.jpg train/a/c/1.jpg test/a/1.jpg", "/train/a holds folders"),
        # Photos without classes have a folder around them all the same.
        (
            "train/a/1.jpg train/b/1.jpg val/images/1.jpg",
            "/val holds only 'images', not a class of the other splits.* --splits=top",
        ),
        (
            "train/a/images/1.jpg train/b/images/1.jpg val/images/1.jpg"
            " test/images/1.jpg",
            "/test holds only 'images'",
        ),
        ("train/a/1.jpg train/b/1.jpg test/unknown/1.jpg", "only 'unknown'"),
        ("train/all/1.jpg test/a/1.jpg test/b/1.jpg", "/train holds only 'all'"),
        (
            "a/train/1.jpg a/test/1.jpg b/1.jpg",
            "/a has 'test' and 'train', and .*/b has photos: if .*give --splits=none",
        ),
        ("a/1.jpg a/test/1.jpg b/1.jpg", "/a has 'test', and photos"),
        ("a/train/1.jpg a/new/1.jpg b/train/1.jpg", "/a has 'train', and 'new'"),
        (
            "fold1/train/a/1.jpg fold2/train/a/1.jpg",
            "fold1/train holds folders of photos, 'a'.*as in 'fold1/a'",
        ),
    ],
)
def test_two_readings_are_refused(tmp_path, files, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path, files)


def test_classes_say_which_folders_are_classes(tmp_path):
    files = "animals/cat/1.jpg animals/dog/1.jpg plants/1.jpg plants/oak/1.jpg"
    assert read(tmp_path, files, classes="top") == "animals: plants:"
    found = read(tmp_path, classes="nested")
    assert found == "animals/cat: animals/dog: plants/oak: plants:"


def test_nested_classes_in_splits(tmp_path):
    files = "train/animals/cat/1.jpg train/animals/dog/1.jpg val/animals/cat/1.jpg"
    assert read(tmp_path, files, classes="nested") == (
        "animals/cat:train animals/cat:validation animals/dog:train"
    )


def test_nested_classes_are_no_splits_unless_told(tmp_path):
    files = "x/a/train/1.jpg x/a/test/1.jpg y/b/train/1.jpg"
    with pytest.raises(UserError, match=r"'x/a/test' a class: also give --splits=none"):
        read(tmp_path, files, classes="nested")
    found = read(tmp_path, classes="nested", splits="none")
    assert found == "x/a/test: x/a/train: y/b/train:"


def test_splits_say_where_splits_are(tmp_path):
    assert read(tmp_path, "test/1.jpg cat/1.jpg", splits="none") == "cat: test:"
    with pytest.raises(UserError, match=r"has 'cat', not clearly named like a split"):
        read(tmp_path, splits="top")
    with pytest.raises(UserError, match=r"/cat has no split's folder, and photos"):
        read(tmp_path, splits="inside")


def test_inner_splits_can_be_told(tmp_path):
    files = "train/test/1.jpg train/train/1.jpg val/train/1.jpg"
    found = read(tmp_path, files, splits="inside")
    assert found == "train:test train:train val:train"


def test_a_class_of_one_split_alone_can_be_told(tmp_path):
    files = "train/a/1.jpg train/b/1.jpg test/c/1.jpg"
    assert read(tmp_path, files, splits="top") == "a:train b:train c:test"


def test_what_is_plainly_no_photo_makes_no_folder_of_photos(tmp_path):
    files = "train/a/1.jpg val/a/1.jpg models/best.h5 notes/plot.ipynb old/a.zip"
    assert read(tmp_path, files) == "a:train a:validation"


def test_folders_in_folders_without_end_are_no_end_of_the_program(tmp_path):
    place = os.getcwd()
    try:
        os.chdir(tmp_path)  # a path from the root would be too long
        for name in ["cat", *["d"] * 150]:
            os.mkdir(name)
            os.chdir(name)
    finally:
        os.chdir(place)
    assert read(tmp_path, "cat/1.jpg dog/1.jpg") == "cat: dog:"
    rejections = sources.find_in_folder(str(tmp_path)).rejections
    assert photo_files.TOO_DEEP in [rejected.reason for rejected in rejections]


def test_links_back_end(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "up").symlink_to("..")
    (tmp_path / "cat" / "self").symlink_to(".")
    assert read(tmp_path, "cat/1.jpg dog/1.jpg") == "cat: dog:"
