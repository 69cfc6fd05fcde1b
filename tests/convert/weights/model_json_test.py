"""A converted checkpoint's model.json says what is so, or is not written."""

import dataclasses
import types
from typing import Any

import numpy as np
import pytest

from checkpoints import model_info, slim_format
from convert.weights import model_json
from errors import UserError


def _net(**changes: Any) -> Any:
    facts = {
        "model_name": "vgg_16",
        "num_classes": 1000,
        "image_size": 224,
        "input_shape": (224, 224, 3),
    }
    return types.SimpleNamespace(**facts | changes)


INFO: Any = model_json.info_of(_net(), "vgg", "imagenet", None)


def _checkpoint(path):
    slim_format.write_checkpoint(str(path), {"a": np.ones(1)})
    return str(path)


def test_imagenet_without_a_background_is_recorded(tmp_path):
    model_json.write_info(_checkpoint(tmp_path / "a.ckpt"), INFO)
    assert model_info.read(str(tmp_path)) == INFO
    assert (INFO.preprocessing_name, INFO.labels_offset) == ("vgg", 1)
    model_json.check(str(tmp_path / "a.ckpt"), INFO)


@pytest.mark.parametrize(
    ("num_classes", "offset", "dataset_name"),
    [(1001, 0, "imagenet"), (1001, 0, None), (1000, 0, None), (5, 0, None)],
)
def test_only_of_imagenet_the_number_of_classes_tells_the_offset(
    num_classes, offset, dataset_name, tmp_path
):
    net = _net(num_classes=num_classes)
    info = model_json.info_of(net, "vgg", dataset_name, None)
    assert (info.labels_offset, info.dataset_name) == (offset, dataset_name)
    model_json.write_info(_checkpoint(tmp_path / "a.ckpt"), info)
    assert model_info.read(str(tmp_path)) == info


def test_a_body_without_a_classifier_gets_no_record(tmp_path):
    model_json.write_info(_checkpoint(tmp_path / "a.ckpt"), None)
    assert model_info.read(str(tmp_path)) is None


def test_a_folder_of_several_checkpoints_gets_no_record(tmp_path):
    _checkpoint(tmp_path / "other.ckpt")
    model_json.write_info(_checkpoint(tmp_path / "a.ckpt"), INFO)
    assert model_info.read(str(tmp_path)) is None


@pytest.mark.parametrize("info", [None, dataclasses.replace(INFO, image_size=299)])
def test_a_folder_of_another_model_is_refused(info, tmp_path):
    model_json.write_info(_checkpoint(tmp_path / "a.ckpt"), INFO)
    with pytest.raises(
        UserError, match="of another model, vgg_16 with 1000 classes; give"
    ):
        model_json.check(str(tmp_path / "b.ckpt"), info)
