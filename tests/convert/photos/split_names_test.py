import pytest

from convert.photos import split_names


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"),
        ("TRAIN", "train"),
        ("Training Set", "train"),
        ("trainset", "train"),
        ("trainSet", "train"),
        ("train_images", "train"),
        ("images-train", "train"),
        ("train2017", "train"),
        ("val", "validation"),
        ("valid", "validation"),
        ("Validation_Data", "validation"),
        ("test_set", "test"),
        ("testing", "test"),
        ("test1", "test"),
        ("seg_train", None),
        ("my-val", None),
        ("test_tube", None),
        ("dev", None),
        ("trains", None),
        ("photos", None),
        ("2017", None),
        ("", None),
    ],
)
def test_one_name(name, split):
    assert split_names.splits_of([name]) == {name: split}


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["seg_train", "seg_test"], ["train", "test"]),
        (["train_cats", "val_cats"], ["train", "validation"]),
        (["my train photos", "my val photos"], ["train", "validation"]),
        (["seg_train", "seg_test", "seg_pred"], [None, None, None]),
        (["freight_train", "bullet_train"], [None, None]),
        (["train_a", "train_b"], [None, None]),
        (["train_1", "train_2"], ["train", "train"]),
        (["train", "test_tube"], ["train", None]),
        (["photos", "test"], [None, "test"]),
    ],
)
def test_what_all_names_share_is_passed_over(names, splits):
    assert split_names.splits_of(names) == dict(zip(names, splits, strict=True))


def test_words():
    for name in ("train", "Test Set", "dev", "hold-out", "eval", "trainval"):
        assert split_names.is_split_word(name)
        assert split_names.has_split_word(name)
    for name in ("test_tube", "seg_train", "my-val", "is_valid", "devTest"):
        assert not split_names.is_split_word(name)
        assert split_names.has_split_word(name)
    for name in ("cat", "trains", "contest", "photos", ""):
        assert not split_names.has_split_word(name)


def test_cells():
    cells = [" Train", "VALID", "testing ", "dev", "0", ""]
    found = [split_names.split_of_word(cell) for cell in cells]
    assert found == ["train", "validation", "test", None, None, None]
