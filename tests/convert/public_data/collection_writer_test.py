import json
import os

import pytest
import tensorflow as tf

from convert.public_data import collection_writer
from convert.public_data.collection import Collection, Example, Split
from datasets import dataset_factory
from errors import UserError
from tests.convert.sample_photos import encode, pixels


def make(*bad, channels=3):
    """Forty training images in two files and three of a split of its own name."""
    train = [Example(encode(pixels(n), "PNG"), n % 2, f"{n}.png") for n in range(40)]
    for number in bad:
        train[number] = Example(b"bad", 0, f"{number}.png")
    dev = [Example(encode(pixels(90 + n), "JPEG"), 2, "") for n in range(3)]
    splits = {
        "train": Split(
            ("pets_train_0.tfrecord", "pets_train_1.tfrecord"), 40, lambda: iter(train)
        ),
        "dev": Split(("pets_dev.tfrecord",), 3, lambda: iter(dev)),
    }
    return Collection(("cat", "dog", "two\nlines"), splits, channels)


@pytest.fixture
def convert(tmp_path):
    def run(collection, **settings):
        def read():
            assert collection is not None, "read although it is there"
            return collection

        collection_writer.convert(
            read,
            dataset_dir=str(tmp_path / "data"),
            dataset_name="pets",
            settings={"dataset_name": "stock", **settings},
            num_workers=1,
        )
        return tmp_path / "data"

    return run


def numbers(path):
    """The names of a file's photos, as numbers."""
    return [
        int(
            tf.train.Example.FromString(record.numpy())
            .features.feature["image/filename"]
            .bytes_list.value[0]
            .partition(b".")[0]
        )
        for record in tf.data.TFRecordDataset(str(path))
    ]


def test_a_collection_becomes_a_dataset(convert, capsys):
    data = convert(make(channels=1))
    assert sorted(os.listdir(data)) == [
        "dataset.json",
        "labels.txt",
        "pets_dev.tfrecord",
        "pets_train_0.tfrecord",
        "pets_train_1.tfrecord",
        "rejected.csv",
    ]
    assert numbers(data / "pets_train_0.tfrecord") == list(range(20))
    assert numbers(data / "pets_train_1.tfrecord") == list(range(20, 40))
    train = dataset_factory.get_dataset("pets", "train", str(data))
    dev = dataset_factory.get_dataset("pets", "dev", str(data))
    assert train.class_names == ("cat", "dog", "two\nlines")
    assert (train.class_counts, dev.class_counts) == ((20, 20, 0), (0, 0, 3))
    assert train.num_channels == 1
    assert [shard.num_records for shard in train.shards] == [20, 20]
    made = json.loads((data / "dataset.json").read_text())["made"]
    assert made["settings"] == {"dataset_name": "stock"}
    assert "--dataset_name=pets" in capsys.readouterr().out


def test_a_second_run_stops_before_it_reads(convert, capsys):
    convert(make())
    convert(None)
    assert "already holds the data set 'pets'" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"another data set .*--splits=None, not test"):
        convert(None, splits="test")


def test_damaged_images_are_listed(convert):
    data = convert(make(0, 39))
    assert numbers(data / "pets_train_0.tfrecord") == list(range(1, 21))
    assert numbers(data / "pets_train_1.tfrecord") == list(range(21, 39))
    train = dataset_factory.get_dataset("pets", "train", str(data))
    assert train.num_examples == 38
    assert [shard.num_records for shard in train.shards] == [20, 18]
    assert (data / "rejected.csv").read_text().count("\n") == 3


def test_many_damaged_images_stop_it(convert, tmp_path):
    with pytest.raises(
        UserError, match=r"5 of 43 images cannot be used, the first is '0.png'"
    ):
        convert(make(0, 1, 2, 3, 4))
    assert os.listdir(tmp_path) == []


def test_files_of_unknown_origin_are_left_alone(convert, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "pets_dev.tfrecord").write_bytes(b"mine")
    with pytest.raises(UserError, match=r"pets_dev.tfrecord exists, but no dataset"):
        convert(make())
    assert (tmp_path / "data" / "pets_dev.tfrecord").read_bytes() == b"mine"


def test_an_interruption_leaves_nothing(convert, tmp_path):
    def read():
        yield Example(encode(pixels(0), "PNG"), 0, "")
        raise KeyboardInterrupt

    collection = Collection(("a",), {"train": Split(("f",), 2, read)})
    with pytest.raises(KeyboardInterrupt):
        convert(collection)
    assert os.listdir(tmp_path) == []
