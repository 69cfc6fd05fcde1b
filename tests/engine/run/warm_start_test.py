"""A run that starts from another's checkpoint: the same classes, or a fresh head."""

import dataclasses
import json
import logging
import shutil

import pytest

from checkpoints import model_info
from errors import UserError
from tests.engine import coloured_images, small_runs

pytestmark = pytest.mark.filterwarnings("ignore:`layer:UserWarning")
BACKWARDS = ("blue", "green", "red")


@pytest.fixture
def other_images(tmp_path):
    """The same images, their classes in another order."""
    return coloured_images.write_split(
        tmp_path / "other", "train", [0, 1, 2, 0], [2, 1, 0, 2], class_names=BACKWARDS
    )


@pytest.fixture
def plan(tmp_path):
    """Plans a run on images, from a checkpoint."""

    def plan(dataset_dir, checkpoint_path, **flags):
        flags = {"train_dir": tmp_path / "run", "dry_run": True} | flags
        return small_runs.train(
            dataset_dir=dataset_dir, checkpoint_path=str(checkpoint_path), **flags
        )

    return plan


@pytest.mark.parametrize("source", ["", "best", "model.ckpt-6"])
@pytest.mark.parametrize(
    ("excluded", "remedy"), [(None, "head"), ("Tiny/Logits", "Tiny/Logits,head")]
)
def test_a_head_of_classes_in_another_order_is_refused(
    full_run, other_images, plan, source, excluded, remedy
):
    with pytest.raises(UserError) as raised:
        plan(other_images, full_run / source, checkpoint_exclude_scopes=excluded)
    said = str(raised.value)
    assert "class 0 is 'red' there and 'blue' here (the same names in another" in said
    assert f"--checkpoint_exclude_scopes={remedy} newly initializes the head" in said
    assert "head stands for Tiny/Logits,Tiny/AuxLogits" in said
    assert "\n" not in said


@pytest.mark.parametrize("scopes", ["head", "Tiny/Logits,Tiny/AuxLogits", "Tiny/.*Log"])
def test_a_fresh_head_is_of_any_classes(full_run, other_images, plan, scopes, caplog):
    caplog.set_level(logging.WARNING, logger="absl")
    assert plan(other_images, full_run, checkpoint_exclude_scopes=scopes) == 0
    assert "classes" not in caplog.text


def test_the_same_classes_keep_the_head_without_a_word(
    full_run, images_dir, plan, caplog
):
    caplog.set_level(logging.WARNING, logger="absl")
    assert plan(images_dir, full_run) == 0
    assert caplog.messages == []


def test_other_names_are_other_classes(full_run, tmp_path, plan):
    images = coloured_images.write_split(
        tmp_path / "o", "train", [0], [0], class_names=("red", "green", "sky")
    )
    with pytest.raises(UserError, match=r"class 2 is 'blue' there and 'sky' here, so"):
        plan(images, full_run)


@pytest.mark.parametrize("names", [None, "absent"])
def test_a_head_of_unknown_classes_is_reported(
    full_run, images_dir, tmp_path, plan, names, caplog
):
    source = shutil.copytree(full_run, tmp_path / "source")
    if names:
        (source / "model.json").unlink()
    else:
        record = model_info.read(str(source))
        assert record is not None
        unnamed = dataclasses.replace(record, class_names=None, dataset_name=None)
        unnamed.write(str(source))
    assert plan(images_dir, source) == 0
    (said,) = [m for m in caplog.messages if "the class names of" in m]
    assert "its head is assumed to be for the classes of colours" in said
    assert "--checkpoint_exclude_scopes=head" in said


def test_other_preprocessing_is_reported_in_one_line(
    full_run, images_dir, tmp_path, plan, caplog
):
    source = shutil.copytree(full_run, tmp_path / "source")
    content = json.loads((source / "model.json").read_text())
    content |= {"preprocessing_name": "vgg", "use_grayscale": True}
    (source / "model.json").write_text(json.dumps(content))
    assert plan(images_dir, source) == 0
    said = [m for m in caplog.messages if "preprocessed by" in m]
    assert len(said) == 1
    assert "preprocessed by vgg, but this run uses inception" in said[0]
    assert "--preprocessing_name=vgg" in said[0]
    assert "was trained on gray images" in caplog.text
    caplog.clear()
    assert plan(images_dir, source, preprocessing_name="vgg") == 0
    assert "preprocessed by" not in caplog.text
