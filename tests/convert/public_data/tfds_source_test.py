"""Against a stand-in everywhere, and against tensorflow-datasets where it is there."""

import sys
import types

import numpy as np
import pytest
import tensorflow as tf

from convert.public_data import tfds_source
from errors import UserError
from tests.convert.sample_photos import encode, pixels


@pytest.mark.parametrize(
    ("text", "splits"),
    [
        ("", {}),
        ("train", {"train": "train"}),
        ("train, test", {"train": "train", "test": "test"}),
        (
            "train[:80%],train[80%:]",
            {"train": "train[:80%]", "validation": "train[80%:]"},
        ),
        (
            "train[:8],train[8:9],train[9:]",
            {"train": "train[:8]", "validation": "train[8:9]", "test": "train[9:]"},
        ),
        ("a=train+test,b=train[:3]", {"a": "train+test", "b": "train[:3]"}),
    ],
)
def test_splits(text, splits):
    assert tfds_source.parse_splits(text) == splits


@pytest.mark.parametrize("text", ["a=train,a=test", "a,a,a,a,a", "a b=train", "=train"])
def test_splits_need_names(text):
    with pytest.raises(UserError, match="needs its own name"):
        tfds_source.parse_splits(text)


@pytest.mark.parametrize("name", ["beans", "beans/small", "beans:1.0", "beans/b:1.0"])
def test_the_name_that_training_uses(name):
    assert tfds_source.dataset_name(name) == "beans"


class Image:
    shape = (None, None, 3)


class ClassLabel:
    names = ("cat", "dog")


class Text:
    pass


class Builder:
    """What is used of a tensorflow-datasets builder."""

    name = "beans"
    data_dir = "/data/beans/1.0"
    labels = (0, 1, 1)
    supervised_keys: tuple | None = None
    error: Exception | None = None

    def __init__(self):
        self.features = {"image": Image(), "label": ClassLabel(), "name": Text()}

    @property
    def info(self):
        return types.SimpleNamespace(
            features=self.features,
            supervised_keys=self.supervised_keys,
            splits={"train": None, "test": None},
        )

    def download_and_prepare(self):
        if self.error:
            raise self.error

    def as_dataset(self, *, split, decoders, shuffle_files):
        assert list(decoders) == ["image"]
        assert not shuffle_files
        if split not in self.info.splits:
            raise ValueError(f"Unknown split {split}\nand more")
        images = [encode(pixels(number), "PNG") for number in range(len(self.labels))]
        content = {"image": images, "label": np.array(self.labels, np.int64)}
        return tf.data.Dataset.from_tensor_slices(content)


@pytest.fixture
def builder(monkeypatch):
    """A builder that the stand-in for the package gives for the name "beans"."""
    builder = Builder()

    def find(name, data_dir):
        if name != "beans":
            raise ValueError("unknown")
        return builder

    stand_in = types.SimpleNamespace(
        builder=find,
        list_builders=lambda with_community_datasets: ["beans", "mnist"],
        features=types.SimpleNamespace(Image=Image, ClassLabel=ClassLabel),
        decode=types.SimpleNamespace(SkipDecoding=lambda: None),
    )
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", stand_in)
    return builder


def collect(name="beans", splits="", num_shards=2):
    return tfds_source.tfds_collection(name, splits, None, num_shards)


def test_a_data_set_is_read(builder):
    collection = collect()
    assert collection.classes == ("cat", "dog")
    assert collection.num_channels == 3
    assert list(collection.splits) == ["train", "test"]
    split = collection.splits["test"]
    assert split.num_examples == 3
    assert split.filenames == (
        "beans_test_00000-of-00002.tfrecord",
        "beans_test_00001-of-00002.tfrecord",
    )
    examples = list(split.read())
    assert [example.label for example in examples] == [0, 1, 1]
    assert [example.name for example in examples] == ["test/0", "test/1", "test/2"]
    assert examples[1].encoded == encode(pixels(1), "PNG")


def test_parts_are_named(builder):
    assert list(collect(splits="mine=test").splits) == ["mine"]
    with pytest.raises(
        UserError, match=r"no 'dev' \(Unknown split dev\); its splits are train, test"
    ):
        collect(splits="dev")


def test_what_is_no_classification_is_refused(builder):
    builder.features = {"image": Image(), "mask": Image(), "label": ClassLabel()}
    with pytest.raises(
        UserError, match=r"not for image classification: it has .*image, mask"
    ):
        collect()
    builder.supervised_keys = ("image", "label")
    assert collect().classes == ("cat", "dog")
    builder.features = {"image": Image()}
    with pytest.raises(UserError, match="not for image classification"):
        collect()


def test_images_without_a_label_are_refused(builder):
    builder.labels = (0, -1)
    with pytest.raises(UserError, match=r"split 'test' \(test\) has images without l"):
        list(collect().splits["test"].read())


def test_a_dead_download_says_what_to_do_by_hand(builder):
    builder.error = OSError("no route\nto host")
    message = r"cannot be prepared \(no route\): put .* into /data/downloads/manual, or"
    with pytest.raises(UserError, match=message):
        collect()


def test_an_unknown_name(builder):
    with pytest.raises(
        UserError, match=r"tfds:bean: no such data set \(did you mean b"
    ):
        collect("bean")


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(UserError, match="pip install tensorflow-datasets"):
        collect()


def test_the_packages_own_mock_data():
    tfds = pytest.importorskip("tensorflow_datasets")
    with tfds.testing.mock_data(num_examples=10):
        collection = collect("mnist", "train[:80%],train[80%:]")
        assert collection.classes == tuple("0123456789")
        assert collection.num_channels == 1
        assert list(collection.splits) == ["train", "validation"]
        for split in collection.splits.values():
            examples = list(split.read())
            assert len(examples) == split.num_examples
            assert {example.encoded[:4] for example in examples} == {b"\x89PNG"}


def test_a_data_set_from_local_files(tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")

    class LocalPets(tfds.core.GeneratorBasedBuilder):  # type: ignore[name-defined]
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = {
                "photo": tfds.features.Image(),
                "kind": tfds.features.ClassLabel(names=["cat", "dog"]),
            }
            return self.dataset_info_from_configs(
                features=tfds.features.FeaturesDict(features)
            )

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for number in range(10):
                yield number, {"photo": pixels(number), "kind": number % 2}

    LocalPets(data_dir=str(tmp_path)).download_and_prepare()
    collection = tfds_source.tfds_collection(
        "local_pets", "train[:70%],train[70%:]", str(tmp_path), 5
    )
    sizes = {name: split.num_examples for name, split in collection.splits.items()}
    assert sizes == {"train": 7, "validation": 3}
    examples = [e for split in collection.splits.values() for e in split.read()]
    seen = {tf.io.decode_png(e.encoded).numpy().tobytes(): e.label for e in examples}
    assert seen == {pixels(n).tobytes(): n % 2 for n in range(10)}
