"""Only known weights are ImageNet's; other classes have the names that are given."""

import hashlib

import pytest

from convert.from_torch import torch_source
from convert.weights import classes
from errors import UserError


def test_a_number_of_classes_proves_nothing(caplog):
    for number in (1000, 1001):
        assert classes.named(None, number, is_published=False) == (None, None)
        assert f"The {number} classes have no names" in caplog.text
        assert "--class_names=imagenet if" in caplog.text
        assert classes.named(None, number, is_published=True)[0] == "imagenet"
        assert classes.named("imagenet", number, is_published=False)[0]
    assert classes.named(None, 5, is_published=True) == (None, None)
    with pytest.raises(
        UserError, match="the source has 5 classes, expected ImageNet's 1000, or 1001"
    ):
        classes.named("imagenet", 5, is_published=False)


@pytest.mark.parametrize("text", ["bee\ncat:x\n\nant\n", "0:bee\n2:ant\n1:cat:x\n"])
def test_names_come_from_a_file_in_the_order_of_the_outputs(text, tmp_path):
    path = tmp_path / "names.txt"
    path.write_text(text)
    named = classes.named(str(path), 3, is_published=True)
    assert named == (None, ("bee", "cat:x", "ant"))
    with pytest.raises(UserError, match="names 3 classes, but the source has 4"):
        classes.named(str(path), 4, is_published=False)


@pytest.mark.parametrize("text", ["a\na\n", "0:a\n3:b\n"])
def test_a_name_twice_or_none_is_refused(text, tmp_path):
    (tmp_path / "names.txt").write_text(text)
    with pytest.raises(UserError, match=r"has the class '.*' twice"):
        classes.named(str(tmp_path / "names.txt"), 2, is_published=False)


def test_files_that_cannot_be_read_are_one_line(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        classes.named(str(tmp_path / "none"), 2, is_published=False)
    (tmp_path / "photo").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(UserError, match="is not UTF-8"):
        classes.named(str(tmp_path / "photo"), 2, is_published=False)


def test_torchvisions_files_are_known_by_the_hash_in_their_name(tmp_path):
    digest = hashlib.sha256(b"weights").hexdigest()[:8]
    for name, is_known in (
        (f"resnet18-{digest}.pth", True),
        ("resnet18-00000000.pth", False),
        (f"products-{digest}.pth", False),
        ("resnet18.pth", False),
    ):
        (tmp_path / name).write_bytes(b"weights")
        assert torch_source.is_published(str(tmp_path / name)) == is_known
