"""What a checkpoint is: model.json, options, the head's classes, and their quarrels."""

import collections
import pathlib

import numpy as np
import pytest

from checkpoints import slim_format
from checkpoints.model_info import ModelInfo
from checkpoints.slim_format import Checkpoint
from config.predict_config import NetOptions
from engine.restored import checkpoint_info
from errors import UserError
from nets import nets_factory
from tests.engine import coloured_images

HEAD = "resnet_v1_50/logits/biases"
VARIABLES = pathlib.Path(__file__).parents[2] / "nets" / "slim_variables.tsv"


def _checkpoint(folder, num_classes: int, name: str = HEAD) -> Checkpoint:
    path = str(folder / f"published-{num_classes}")
    slim_format.write_checkpoint(path, {name: np.zeros(num_classes, np.float32)})
    return Checkpoint(path)


def _describe(checkpoint, **options) -> ModelInfo:
    options = {"model_name": "resnet_v1_50"} | options
    return checkpoint_info.info_of(checkpoint, NetOptions(**options))


def test_every_net_of_slims_has_its_classes_in_one_place():
    class Published:
        def __init__(self) -> None:
            self.shapes: dict[str, tuple[int, ...]] = {}

    nets: dict[str, Published] = collections.defaultdict(Published)
    for line in VARIABLES.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            net, name, shape = line.split("\t")[:3]
            sizes = tuple(map(int, filter(str.isdigit, shape.split("x"))))
            nets[net].shapes[name] = sizes
    known = set(nets) & set(nets_factory.NETWORKS)
    assert len(known) > 40
    for net in known:
        found = checkpoint_info.num_trained_classes(nets[net], net)  # type: ignore[arg-type]
        assert found == 1001, net


@pytest.mark.parametrize(
    ("num_classes", "offset", "first"), [(1000, 1, "tench"), (1001, 0, "background")]
)
def test_imagenets_classes_are_told_by_their_number(
    tmp_path, num_classes, offset, first, caplog
):
    record = _describe(_checkpoint(tmp_path, num_classes))
    assert (
        f"name its {num_classes} classes, so they are assumed to be Im" in caplog.text
    )
    caplog.clear()
    _describe(_checkpoint(tmp_path, num_classes), dataset_name="imagenet")
    assert not caplog.text
    assert (record.num_classes, record.labels_offset) == (num_classes, offset)
    assert record.class_names is not None
    assert record.class_names[0].startswith(first)
    assert len(record.class_names) == num_classes
    assert (record.image_size, record.preprocessing_name) == (224, "vgg")


def test_a_given_offset_is_checked(tmp_path):
    checkpoint = _checkpoint(tmp_path, 1000)
    assert _describe(checkpoint, labels_offset=1).num_classes == 1000
    with pytest.raises(UserError, match=r"for 1000 classes.*offset=0 1001: .*=1 fits"):
        _describe(checkpoint, labels_offset=0, dataset_name="imagenet")
    with pytest.raises(UserError, match="name the data set that it was trained on"):
        _describe(_checkpoint(tmp_path, 7), dataset_name="imagenet")


def test_a_data_set_names_classes_and_must_fit(tmp_path):
    names = ("none", "red", "green", "blue")
    folder = coloured_images.write_split(
        tmp_path / "data", "train", [0, 1, 2], [1, 2, 3], class_names=names
    )
    data = {"dataset_name": coloured_images.NAME, "dataset_dir": str(folder)}
    record = _describe(_checkpoint(tmp_path, 3), **data)
    assert (record.labels_offset, record.class_names) == (1, names[1:])
    assert _describe(_checkpoint(tmp_path, 4), **data).class_names == names
    with pytest.raises(UserError, match=r"for 2 classes, but colours has 4"):
        _describe(_checkpoint(tmp_path, 2), **data)


def test_classes_that_nothing_names_are_numbered(tmp_path, caplog):
    record = _describe(_checkpoint(tmp_path, 7))
    assert (record.num_classes, record.class_names) == (7, None)
    assert "so they are numbered" in caplog.text


def test_first_class_is_left_out_only_where_it_is_empty():
    detected = checkpoint_info.detected_offset
    assert detected(4, (), 3) == 1
    assert detected(4, (0, 5, 5, 5), 3) == 1
    assert detected(4, (5, 5, 5, 5), 3) is None
    assert detected(4, (0, 0, 5, 5), 2) is None
    assert detected(4, (5, 5, 5, 5), 4) == 0
    assert detected(3, (0, 5, 5), 4) is None


def test_options_may_not_contradict_the_record(tmp_path):
    checkpoint = _checkpoint(tmp_path, 3)
    ModelInfo(
        model_name="resnet_v1_50",
        image_size=32,
        use_grayscale=False,
        preprocessing_name="vgg",
        labels_offset=0,
        dataset_name="pets",
        num_classes=3,
        class_names=None,
    ).write(str(tmp_path))
    with pytest.raises(UserError, match="--model_name=lenet contradicts"):
        _describe(checkpoint, model_name="lenet")
    assert _describe(checkpoint, image_size=48).image_size == 48
    assert _describe(checkpoint).image_size == 32


def _converted(folder, num_classes: int, **values) -> Checkpoint:
    """A checkpoint with the record of a net that came without names of classes."""
    ModelInfo(
        **{
            "model_name": "resnet_v1_50",
            "image_size": 32,
            "use_grayscale": False,
            "preprocessing_name": "vgg",
            "labels_offset": 0,
            "dataset_name": None,
            "num_classes": num_classes,
            "class_names": None,
            **values,
        }
    ).write(str(folder))
    return _checkpoint(folder, num_classes)


def test_imagenets_names_need_not_be_recorded(tmp_path):
    values = {"labels_offset": 1, "dataset_name": "imagenet"}
    record = _describe(_converted(tmp_path, 1000, **values))
    assert record.class_names is not None
    assert len(record.class_names) == 1000
    assert record.class_names[0].startswith("tench")


def test_a_data_set_names_the_classes_of_a_converted_checkpoint(tmp_path, caplog):
    names = ("red", "green", "blue")
    folder = coloured_images.write_split(
        tmp_path / "data", "train", [0, 1, 2], [0, 1, 2], class_names=names
    )
    data = {"dataset_name": coloured_images.NAME, "dataset_dir": str(folder)}
    with caplog.at_level("WARNING", logger="absl"):
        assert _describe(_converted(tmp_path, 3), **data).class_names == names
    assert not caplog.text
    assert _describe(_converted(tmp_path, 3)).class_names is None
    assert "so they are numbered" in caplog.text
    with pytest.raises(UserError, match=r"for 4 classes, but colours has 3"):
        _describe(_converted(tmp_path, 4), **data)


def test_without_a_checkpoint_options_say_all():
    record = _describe(None, labels_offset=1)
    assert record.num_classes == 1000
    assert record.class_names is not None
    assert record.class_names[0].startswith("tench")
    with pytest.raises(UserError, match="give --dataset_dir"):
        _describe(None, dataset_name="pets")
    with pytest.raises(UserError, match="there are only 1001 classes"):
        _describe(None, labels_offset=1001)


def test_data_of_other_classes_contradict_the_record(tmp_path):
    names = ("red", "green", "blue")
    folder = coloured_images.write_split(
        tmp_path / "data", "train", [0, 1, 2], [0, 1, 2], class_names=names
    )
    data = {"dataset_name": coloured_images.NAME, "dataset_dir": str(folder)}
    (tmp_path / "a").mkdir()
    checkpoint = _converted(tmp_path / "a", 3, class_names=names)
    assert _describe(checkpoint, **data).class_names == names
    checkpoint = _converted(tmp_path / "a", 3, class_names=("green", "red", "blue"))
    with pytest.raises(
        UserError, match=r"0 is 'green' there and 'red' here \(the same"
    ):
        _describe(checkpoint, **data)
