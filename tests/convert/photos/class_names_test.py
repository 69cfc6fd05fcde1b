import pytest

from checkpoints.model_info import ModelInfo
from common import storage
from convert.photos import class_names
from errors import UserError


@pytest.mark.parametrize(
    ("names", "difference"),
    [
        (("cat", "cat "), "blanks"),
        (("hot dog", "hot\u00a0dog"), "blanks"),
        (("hotdog", "hot dog"), "blanks"),
        (("Cat", "cat"), "case"),
        (("STRASSE", "straße"), "case"),
        (("caf\u00e9", "cafe\u0301"), r"the form .* \(cafe\\u0301, caf\\xe9\)"),
        (("cat", "cat\u200b"), r"characters that look alike \(cat, cat\\u200b\)"),
        (("1", "1.0"), "how a number is written"),
        (("7", "007"), "how a number is written"),
    ],
)
def test_names_alike_are_refused(names, difference):
    with pytest.raises(
        UserError, match=f"differ only in {difference}: give both the same"
    ):
        class_names.check_distinct(["bird", *names])


def test_other_names_are_not_alike():
    names = ["cat", "cats", "dog", "1", "10", "1a", "a1", "-", "ä"]
    class_names.check_distinct(names)
    for name in names:  # each of them is alike to itself
        with pytest.raises(UserError, match="give both the same"):
            class_names.check_distinct([*names, name.upper() + " "])


@pytest.mark.parametrize(
    ("classes", "example"),
    [
        (["0", "1", "10", "11", "2"], "'0', '1', '10'"),
        (["a b1", "a b10", "a b2"], "'a b1', 'a b10', 'a b2'"),
        (["0", "1", "2", "cat9", "dog10"], None),
        (["00", "01", "10"], None),
        (["cat", "dog"], None),
        (["²", "³"], None),
    ],
)
def test_the_order_of_numbers_is_told(classes, example):
    remark = class_names.explain_order(classes)
    assert (f"as in {example}, not" in remark) if example else remark == ""


def test_classes_from_a_file(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("1:dog\n0:cat\n")
    assert class_names.given(str(path), None) == ("cat", "dog")
    path.write_text("0:cat\n1:cat\n")
    with pytest.raises(UserError, match=r"mine\.txt has the class 'cat' twice"):
        class_names.given(str(path), None)
    with pytest.raises(UserError, match=r"absent\.txt is not a file: give one"):
        class_names.given(str(tmp_path / "absent.txt"), None)
    with pytest.raises(UserError, match=r"cannot be read: Is a directory"):
        class_names.given(str(tmp_path), None)
    path.write_text("0:cat\n2:dog\n")
    with pytest.raises(UserError, match=r"has no class 1: number the classes from 0"):
        class_names.given(str(path), None)
    path.write_text("cat\ndog\n")
    with pytest.raises(UserError, match=r"line 1 is 'cat': expected id:name"):
        class_names.given(str(path), None)


@pytest.fixture
def record():
    return ModelInfo("lenet", 28, False, "lenet", 0, "pets", 2, ("cat", "dog"))


def test_classes_of_a_run(tmp_path, record):
    record.write(str(tmp_path))
    assert class_names.given(None, str(tmp_path)) == ("cat", "dog")
    assert class_names.given(None, str(tmp_path / "model.ckpt-3")) == ("cat", "dog")
    storage.upload_folder(str(tmp_path), "ram://classes/run")
    assert class_names.given(None, "ram://classes/run") == ("cat", "dog")
    with pytest.raises(UserError, match="both give the classes: omit one"):
        class_names.given("labels.txt", str(tmp_path))


def test_classes_of_a_run_that_names_none(tmp_path, record):
    with pytest.raises(UserError, match=r"there is no model\.json"):
        class_names.given(None, str(tmp_path))
    ModelInfo("lenet", 28, False, "lenet", 0, "pets", 2, None).write(str(tmp_path))
    with pytest.raises(UserError, match=r"model\.json has no class names"):
        class_names.given(None, str(tmp_path))


def test_labels_that_a_run_left_out_come_first(tmp_path):
    record = ModelInfo("lenet", 28, False, "lenet", 1, "pets", 2, ("cat", "dog"))
    record.write(str(tmp_path))
    assert class_names.given(None, str(tmp_path)) == ("background", "cat", "dog")


def test_unknown_classes_are_refused():
    class_names.check_known(["dog"], ["cat", "dog"])
    message = r"class 'dogs' and 1 more, .* the 2 classes given \(did you mean dog\?\)"
    with pytest.raises(UserError, match=message):
        class_names.check_known(["dogs", "emu", "cat"], ["cat", "dog"])
