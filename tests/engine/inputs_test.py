"""Which data set a command means."""

import dataclasses
import logging

import pytest

from common.atomic_files import sha256
from config.predict_config import NetOptions
from config.shared_options import DataOptions
from datasets import dataset_json
from datasets.dataset_json import DatasetInfo, ShardInfo, SplitInfo
from engine import inputs
from engine.restored import checkpoint_info
from errors import UserError
from tests.engine import coloured_images, small_runs


@pytest.fixture(scope="module")
def described_dir(tmp_path_factory):
    """The coloured images with a dataset.json."""
    folder = small_runs.write_images(tmp_path_factory.mktemp("described"))
    splits = {}
    for split in ("train", "validation"):
        dataset = coloured_images.get_split(folder, split)
        shards = tuple(
            ShardInfo(
                s.path.rpartition("/")[2], s.num_records, s.num_bytes, sha256(s.path)
            )
            for s in dataset.shards
        )
        splits[split] = SplitInfo(dataset.num_examples, dataset.class_counts, shards)
    info = DatasetInfo(coloured_images.NAME, ("red", "green", "blue"), splits)
    dataset_json.write(str(folder), info)
    return folder


def test_a_forgotten_name_is_taken_from_dataset_json(described_dir, caplog):
    caplog.set_level(logging.INFO, logger="absl")
    data = DataOptions(dataset_dir=str(described_dir))
    found = inputs.with_found_name(data, frozenset())
    assert found == dataclasses.replace(data, dataset_name="colours")
    assert caplog.messages == ["no --dataset_name: using colours, from dataset.json"]


def test_a_given_name_stands(described_dir):
    data = DataOptions(dataset_dir=str(described_dir))
    assert inputs.with_found_name(data, frozenset(["dataset_name"])) == data
    with pytest.raises(UserError, match=r"--dataset_name=imagenet, but .*'colours'"):
        inputs.get_dataset(data, "train")


def test_without_dataset_json_slims_default_stands(images_dir, tmp_path):
    for folder in (images_dir, tmp_path / "missing", None):
        data = DataOptions(dataset_dir=folder and str(folder))
        assert inputs.with_found_name(data, frozenset()) == data


def test_training_continues_without_the_name(described_dir, tmp_path):
    status = small_runs.train(
        dataset_name="imagenet",
        dataset_dir=described_dir,
        train_dir=tmp_path,
        max_number_of_steps=1,
    )
    assert status == 0
    assert (tmp_path / "model.ckpt-1.index").exists()


def test_prediction_and_export_find_it_too(described_dir):
    options = NetOptions(dataset_dir=str(described_dir))
    assert checkpoint_info.any_split(options).name == "colours"
    assert checkpoint_info.any_split(options, "pets").name == "colours"
    with pytest.raises(UserError, match="--dataset_name=pets, but"):
        checkpoint_info.any_split(dataclasses.replace(options, dataset_name="pets"))
