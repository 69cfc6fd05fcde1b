"""Unlabeled photos become a split: labels, balance, refusals, training with it."""

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from common.atomic_files import sha256
from config.predict_config import NetOptions
from config.pseudo_label_config import PseudoLabelConfig, PseudoLabelOptions
from convert import pseudo_label
from datasets import dataset_json, example_schema
from datasets.dataset_json import DatasetInfo, ShardInfo, SplitInfo
from errors import UserError
from tests.engine import coloured_images, small_runs

CLASSES = ("red", "green", "blue")
PHOTOS = [0, 0, 0, 0, 1, 1, 2, 2, 2]


@pytest.fixture(scope="module", autouse=True)
def small_net():
    with small_runs.net_registered():
        yield


@pytest.fixture(scope="module")
def folders(tmp_path_factory, small_net):
    """The data set of a finished run, and unlabeled photos of its colours."""
    folder = tmp_path_factory.mktemp("pseudo")
    data = coloured_images.write_split(
        folder / "data", "train", small_runs.COLOURS, small_runs.COLOURS
    )
    shards = tuple(
        ShardInfo(path.name, records, path.stat().st_size, sha256(str(path)))
        for path, records in zip(sorted(data.glob("*.tfrecord")), (3, 9), strict=True)
    )
    splits = {"train": SplitInfo(12, (4, 4, 4), shards)}
    dataset_json.write(str(data), DatasetInfo(coloured_images.NAME, CLASSES, splits))
    small_runs.train(dataset_dir=data, train_dir=folder / "run", max_number_of_steps=12)
    photos = folder / "photos"
    photos.mkdir()
    for number, colour in enumerate(PHOTOS):
        side = coloured_images.SIDE
        pixels = np.zeros((side, side, 3), np.uint8)
        # One less, as the data set has images of this brightness.
        pixels[..., colour] = coloured_images.BRIGHTNESS - 1 - number
        Image.fromarray(pixels).save(photos / f"{number}.png")
    (photos / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    return folder


@pytest.fixture
def label(folders):
    """Labels the photos into a new split; its files are gone afterwards."""
    data = folders / "data"
    before = {path: path.read_bytes() for path in data.iterdir()}

    def label(**flags):
        options = PseudoLabelOptions(
            checkpoint_path=str(folders / "run"),
            **{"image_dir": str(folders / "photos"), "threshold": 0.35, **flags},
        )
        return pseudo_label.write_split(PseudoLabelConfig(options, NetOptions()))

    yield label
    for path in data.iterdir():
        if path not in before:
            path.unlink()
        elif path.read_bytes() != before[path]:
            path.write_bytes(before[path])


def test_as_many_of_each_class_join_the_data_set_and_training(
    folders, label, tmp_path, capsys
):
    split = label(num_shards=2)
    assert split.class_counts == (2, 2, 2)
    assert [shard.records for shard in split.shards] == [3, 3]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[-4:]] == [
        ["red", "4", "4", "2"],
        ["green", "2", "2", "2"],
        ["blue", "3", "3", "2"],
        ["all", "9", "9", "6"],
    ]
    dataset = coloured_images.get_split(folders / "data", "pseudo")
    assert dataset.class_counts == (2, 2, 2)
    paths = [shard.path for shard in dataset.shards]
    for record in tf.data.TFRecordDataset(paths):
        example = tf.train.Example.FromString(record.numpy()).features.feature
        number = int(example["image/filename"].bytes_list.value[0].split(b".")[0])
        label_value = example[example_schema.LABEL].int64_list.value[0]
        assert label_value == PHOTOS[number]
    small_runs.train(
        dataset_dir=folders / "data",
        train_dir=tmp_path,
        max_number_of_steps=2,
        mixed_in_split_name="pseudo",
        mixed_in_fraction=0.25,
    )
    flags = json.loads((tmp_path / "run.json").read_text())
    assert flags["mixed_in_fingerprint"] == dataset.fingerprint
    with pytest.raises(UserError, match="has a split 'pseudo' already"):
        label()


def content(folder):
    """Names of all files but side files of the reader, and dataset.json."""
    names = {name for name in os.listdir(folder) if not name.endswith("s.json")}
    return names, (folder / "dataset.json").read_bytes()


def test_photos_of_the_data_set_are_left_out(folders, label, tmp_path, caplog):
    """Of its training split, by their bytes, whatever their names."""
    photos = tmp_path / "photos"
    shutil.copytree(folders / "photos", photos)
    shards = sorted(map(str, (folders / "data").glob("*.tfrecord")))
    (first, *_) = tf.data.TFRecordDataset(shards).as_numpy_iterator()
    features = tf.train.Example.FromString(first).features.feature
    encoded = features[example_schema.ENCODED].bytes_list.value[0]
    (photos / "copy.png").write_bytes(encoded)
    split = label(image_dir=str(photos), images_per_class=0, split_name="others")
    assert split.num_examples == len(PHOTOS)
    assert (
        "1 of 10 photos are in the data set already and are left out: 1 in train"
        in (caplog.text)
    )
    only_copies = tmp_path / "copies"
    only_copies.mkdir()
    (only_copies / "copy.png").write_bytes(encoded)
    with pytest.raises(UserError, match=r"all 1 photos are in .* \(1 in train\): give"):
        label(image_dir=str(only_copies), split_name="none")


def test_nothing_is_written_where_the_net_is_sure_of_nothing(folders, label):
    before = content(folders / "data")
    with pytest.raises(UserError, match=r"none of 9 photos .* the highest is 0\.\d{4}"):
        label(threshold=1.0)
    assert content(folders / "data") == before


def test_a_failure_at_the_end_leaves_nothing(folders, label, monkeypatch):
    before = content(folders / "data")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(dataset_json, "write", fail)
    with pytest.raises(UserError, match="No space left"):
        label()
    assert content(folders / "data") == before


@dataclasses.dataclass(frozen=True)
class Photo:
    index: int
    probability: float


@pytest.mark.parametrize(
    ("images_per_class", "expected"),
    [(None, [1, 3]), (2, [0, 1, 3]), (0, [0, 1, 3, 4]), (1, [1, 3])],
)
def test_the_most_confident_of_each_class(images_per_class, expected):
    photos = [Photo(0, 0.96), Photo(0, 0.99), Photo(1, 0.9), Photo(1, 0.97)]
    photos.append(Photo(0, 0.95))
    kept = pseudo_label.select(photos, 0.95, images_per_class)
    assert kept == [photos[number] for number in expected]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"image_dir": "x"}, "--checkpoint_path is missing"),
        ({"checkpoint_path": "x"}, "--image_dir is missing"),
        (
            {"checkpoint_path": "x", "image_dir": "x", "split_name": "a/b"},
            "--split_name=a/b: give a name",
        ),
    ],
)
def test_flags_are_checked(flags, message):
    with pytest.raises(UserError, match=message):
        PseudoLabelOptions(**flags)
