"""The data set modules that code written for slim imports."""

import contextlib
import io
import pathlib
import shutil
import subprocess
import sys
import tarfile
import types

import numpy as np
import pytest
import tensorflow as tf

from common import fetching
from datasets import (
    cifar10,
    dataset_factory,
    dataset_json,
    dataset_utils,
    flowers,
    imagenet,
    mnist,
    visualwakewords,
)
from errors import UserError
from nets import slim

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = {0: "daisy", 1: "rose"}


def png(value, channels=3):
    pixels = np.full((4, 6, channels), value, np.uint8)
    return tf.io.encode_png(pixels).numpy()


def write(path, values, channels=3):
    """Records whose images have one value, and its parity as label."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for value in values:
            example = dataset_utils.image_to_tfexample(
                png(value, channels), b"png", 4, 6, value % 2
            )
            writer.write(example.SerializeToString())


def read(dataset, number):
    """The first images and labels, as tf_slim's provider gives them."""
    import tf_slim

    with tf.Graph().as_default():
        provider = tf_slim.dataset_data_provider.DatasetDataProvider(
            dataset, num_readers=1, shuffle=False
        )
        items = provider.get(["image", "label"])
        with tf.compat.v1.Session() as session:
            session.run(tf.compat.v1.local_variables_initializer())
            coordinator = tf.train.Coordinator()
            threads = tf.compat.v1.train.start_queue_runners(session, coordinator)
            values = [session.run(items) for _ in range(number)]
            coordinator.request_stop()
            coordinator.join(threads)
    return [(image.shape, int(image[0, 0, 0]), int(label)) for image, label in values]


STOCK = {
    "cifar10": (cifar10, "test", "cifar10_test.tfrecord", 3, 10),
    "flowers": (flowers, "train", "flowers_train_00000-of-00001.tfrecord", 3, 5),
    "imagenet": (imagenet, "train", "train-00000-of-00001", 3, 1001),
    "mnist": (mnist, "train", "mnist_train.tfrecord", 1, 10),
    "visualwakewords": (visualwakewords, "val", "val.record-00000-of-00001", 3, 2),
}


@pytest.mark.parametrize("name", STOCK)
def test_a_stock_module_gives_tf_slims_dataset(name, tmp_path):
    module, split, filename, channels, num_classes = STOCK[name]
    write(tmp_path / filename, [5, 6, 7], channels)
    dataset = module.get_split(split, str(tmp_path))
    assert isinstance(dataset, slim.dataset.Dataset)
    assert dataset.num_samples == 3
    assert dataset.num_classes == num_classes
    assert set(dataset.items_to_descriptions) == {"image", "label"}
    shape = (4, 6, channels)
    assert read(dataset, 3) == [(shape, 5, 1), (shape, 6, 0), (shape, 7, 1)]
    assert dataset_factory.datasets_map[name] is module


@pytest.mark.parametrize(
    "setting", ["tf.Graph().as_default()", "contextlib.nullcontext()"]
)
def test_a_split_is_found_while_a_graph_is_built(setting, tmp_path):
    """With TensorFlow 1's behaviour nothing is eager by itself."""
    write(tmp_path / "mnist_train.tfrecord", [5, 6], channels=1)
    program = f"""
import contextlib
import tensorflow.compat.v1 as tf
if not {setting.startswith("tf")}:
    tf.disable_v2_behavior()
from datasets import mnist
with {setting}:
    print(mnist.get_split("train", {str(tmp_path)!r}).num_samples)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    assert done.stdout == b"2\n"


def test_names_come_from_labels_txt(tmp_path):
    write(tmp_path / "flowers_train_00000-of-00001.tfrecord", [1])
    assert flowers.get_split("train", str(tmp_path)).labels_to_names is None
    dataset_utils.write_label_file(NAMES, str(tmp_path))
    assert flowers.get_split("train", str(tmp_path)).labels_to_names == NAMES


def test_an_unknown_split_is_a_value_error(tmp_path):
    write(tmp_path / "flowers_train_00000-of-00001.tfrecord", [1])
    with pytest.raises(ValueError, match="no split 'test'"):
        flowers.get_split("test", str(tmp_path))


def test_a_pattern_and_a_reader_of_ones_own(tmp_path):
    write(tmp_path / "flowers_train_00000-of-00001.tfrecord", [1])
    (tmp_path / "more[1]").mkdir()
    write(tmp_path / "more[1]" / "own.train", [3, 4])
    reader = tf.compat.v1.TFRecordReader
    dataset = flowers.get_split("train", str(tmp_path), "more*/own.%s", reader)
    assert dataset.reader is reader
    assert dataset.num_samples == 2
    assert [value for _, value, _ in read(dataset, 2)] == [3, 4]
    with pytest.raises(UserError, match="no %s"):
        flowers.get_split("train", str(tmp_path), "own.train")
    with pytest.raises(UserError, match=r"no file own\.test"):
        flowers.get_split("test", str(tmp_path), "own.%s")


def test_the_factory_takes_slims_arguments_and_serves_tf_slims_provider(tmp_path):
    write(tmp_path / "train.own", [8, 9])
    dataset = dataset_factory.get_dataset(
        "flowers", "train", str(tmp_path), "%s.own", tf.compat.v1.TFRecordReader
    )
    assert dataset.num_samples == dataset.num_examples == 2
    assert dataset.labels_to_names is None
    assert [value for _, value, _ in read(dataset, 2)] == [8, 9]


def test_a_described_dataset_is_served_too(tmp_path):
    write(tmp_path / "own_train.tfrecord", [2, 3])
    size = (tmp_path / "own_train.tfrecord").stat().st_size
    shard = dataset_json.ShardInfo("own_train.tfrecord", 2, size, "")
    split = dataset_json.SplitInfo(2, (1, 1), (shard,))
    dataset_json.write(
        str(tmp_path), dataset_json.DatasetInfo("own", ("a", "b"), {"train": split})
    )
    dataset = dataset_factory.get_dataset("own", "train", str(tmp_path))
    assert dataset.labels_to_names == {0: "a", 1: "b"}
    assert [value for _, value, _ in read(dataset, 2)] == [2, 3]


# A module of somebody's own, as slim's documentation has them.


def own_module(label_key="image/class/label", **fields):
    """Reads grey images of files that begin with "mine", as a converter wrote them."""

    def get_split(split_name, dataset_dir, file_pattern=None, reader=None):
        if split_name not in sizes:
            raise ValueError(f"split name {split_name} was not recognized.")
        features = {
            "image/encoded": tf.io.FixedLenFeature((), tf.string, default_value=""),
            "image/format": tf.io.FixedLenFeature((), tf.string, default_value="raw"),
            label_key: tf.io.FixedLenFeature([1], tf.int64, default_value=[7]),
        }
        decoder = slim.tfexample_decoder.TFExampleDecoder(
            features,
            {
                "image": slim.tfexample_decoder.Image(channels=1),
                "label": slim.tfexample_decoder.Tensor(label_key, shape=[]),
            },
        )
        pattern = file_pattern or "mine-%s-*"
        return slim.dataset.Dataset(
            data_sources=f"{dataset_dir}/{pattern % split_name}",
            reader=reader or tf.compat.v1.TFRecordReader,
            decoder=decoder,
            num_samples=sizes[split_name],
            items_to_descriptions={"image": "A digit.", "label": "Which."},
            **{"num_classes": 8, "labels_to_names": {0: "nought", 7: "seven"}} | fields,
        )

    sizes = {"train": 99, "held_back": 99}  # more than there are
    return types.SimpleNamespace(get_split=get_split, SPLITS_TO_SIZES=sizes)


@pytest.fixture
def mine(monkeypatch, tmp_path):
    """The folder of the data set `mine`, whose module is in the map."""
    write(tmp_path / "mine-train-1", [20, 21], channels=1)
    write(tmp_path / "mine-train-2", [22], channels=1)
    monkeypatch.setitem(dataset_factory.datasets_map, "mine", own_module())
    return str(tmp_path)


def test_a_module_in_the_map_is_a_dataset(mine):
    dataset = dataset_factory.get_dataset("mine", "train", mine)
    assert dataset.num_examples == 3  # counted
    assert dataset.class_counts == (2, 1, 0, 0, 0, 0, 0, 0)
    assert dataset.num_channels == 1
    assert (dataset.label_default, dataset.format_default) == (7, "raw")
    assert dataset.class_names == ("nought", *"123456", "seven")
    assert dataset.items_to_descriptions == {"image": "A digit.", "label": "Which."}
    # A pattern's files come in any order.
    assert sorted(value for _, value, _ in read(dataset, 3)) == [20, 21, 22]
    assert dataset_factory.available_splits("mine", mine) == ("held_back", "train")


def test_a_module_in_the_map_goes_before_a_stock_one(mine, monkeypatch):
    module = dataset_factory.datasets_map["mine"]
    monkeypatch.setitem(dataset_factory.datasets_map, "flowers", module)
    assert dataset_factory.get_dataset("flowers", "train", mine).num_examples == 3


@pytest.mark.parametrize(
    ("module", "split", "message"),
    [
        (own_module(), "test", "split name test was not recognized"),
        (own_module(), "held_back", "No data files found"),
        (own_module(num_classes=None), "train", "gives no num_classes"),
        (own_module("label"), "train", "from label, this program reads it from image/"),
    ],
)
def test_a_module_that_does_not_fit_is_refused(
    mine, monkeypatch, module, split, message
):
    monkeypatch.setitem(dataset_factory.datasets_map, "mine", module)
    with pytest.raises(UserError, match=message):
        dataset_factory.get_dataset("mine", split, mine)


def test_importing_the_modules_does_not_import_tf_slim():
    program = (
        "import sys; from datasets import dataset_factory, flowers, imagenet;"
        "print('tf_slim' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    assert done.stdout == b"False\n"


def test_imagenets_names_by_label():
    names = imagenet.create_readable_names_for_imagenet_labels()
    assert len(names) == 1001
    assert (names[0], names[1][:5]) == ("background", "tench")


# The converters' helpers.


def test_features():
    def of(feature):
        kind = feature.WhichOneof("kind")
        return kind, list(getattr(feature, kind).value)

    assert of(dataset_utils.int64_feature(3)) == ("int64_list", [3])
    assert of(dataset_utils.int64_feature([3, 4])) == ("int64_list", [3, 4])
    assert of(dataset_utils.float_feature(0.5)) == ("float_list", [0.5])
    assert of(dataset_utils.float_list_feature([0.5, 2])) == ("float_list", [0.5, 2])
    assert of(dataset_utils.bytes_feature(b"a")) == ("bytes_list", [b"a"])
    assert of(dataset_utils.bytes_list_feature([b"a", "é"])) == (
        "bytes_list",
        [b"a", "é".encode()],
    )


def test_label_files(tmp_path):
    folder = str(tmp_path)
    assert not dataset_utils.has_labels(folder)
    with pytest.raises(UserError, match="no labels"):
        dataset_utils.read_label_file(folder)
    names = {0: "a:b", 3: "ü"}
    dataset_utils.write_label_file(names, folder)
    assert (tmp_path / "labels.txt").read_text("utf-8") == "0:a:b\n3:ü\n"
    assert dataset_utils.has_labels(folder)
    assert dataset_utils.read_label_file(folder) == names
    dataset_utils.write_label_file(NAMES, folder, "other.txt")
    assert dataset_utils.read_label_file(folder, "other.txt") == NAMES


def test_sharded_writers(tmp_path):
    with contextlib.ExitStack() as stack:
        writers = dataset_utils.open_sharded_output_tfrecords(
            stack, str(tmp_path / "x.record"), 2
        )
        writers[1].write(b"one")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "x.record-00000-of-00002",
        "x.record-00001-of-00002",
    ]
    second = tf.data.TFRecordDataset(str(tmp_path / "x.record-00001-of-00002"))
    assert list(second.as_numpy_iterator()) == [b"one"]


def test_a_tarball_is_downloaded_once_and_unpacked(tmp_path, monkeypatch):
    served = tmp_path / "photos.tgz"
    with tarfile.open(served, "w:gz") as archive:
        member = tarfile.TarInfo("photos/a.txt")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"new"))
    asked = []

    def download(url, path):
        asked.append(url)
        shutil.copy(served, path)

    monkeypatch.setattr(fetching, "download", download)
    folder = tmp_path / "data"
    url = "https://example.org/x/photos.tgz"
    for _ in range(2):
        dataset_utils.download_and_uncompress_tarball(url, str(folder))
        text = folder / "photos" / "a.txt"
        assert text.read_bytes() == b"new"
        text.write_bytes(b"old")
    assert asked == [url]
    assert sorted(p.name for p in folder.iterdir()) == ["photos", "photos.tgz"]


def test_a_tarball_that_is_not_there_is_an_error(tmp_path, monkeypatch):
    def download(url, path):
        raise fetching.UnreachableError(f"{url} answers 403")

    monkeypatch.setattr(fetching, "download", download)
    with pytest.raises(UserError, match=r"403: download it to .*photos\.tgz by hand"):
        dataset_utils.download_and_uncompress_tarball(
            "https://example.org/photos.tgz", str(tmp_path)
        )
