import numpy as np
import pytest
from PIL import Image

from convert.inspection.survey import SAMPLE_SIDE, Survey
from datasets import dataset_factory, example_schema
from datasets.dataset import Dataset, Shard
from errors import UserError
from tests.convert.sample_photos import encode, pixels, record, write_dataset

JPEG = encode(pixels(0, 20, 300), "JPEG")
PNG = encode(pixels(1, 7, 9), "PNG")


def look(directory, *splits, num_samples=2):
    survey = Survey(num_samples)
    for split in splits:
        survey.add(dataset_factory.get_dataset("pets", split, str(directory)))
    return survey


def test_sizes_and_formats(tmp_path):
    gif, bmp = encode(pixels(2), "GIF"), encode(pixels(3), "BMP")
    data = write_dataset(
        tmp_path / "data",
        train=[record(0, JPEG), record(1, PNG), record(1, gif), record(0, bmp)],
        test=[record(0, PNG)],
    )
    survey = look(data, "train", "test")
    assert survey.sizes == {
        "train": [(300, 20), (9, 7), (5, 6), (5, 6)],
        "test": [(9, 7)],
    }
    assert survey.formats == {
        "train": {"JPEG": 1, "PNG": 1, "GIF": 1, "BMP": 1},
        "test": {"PNG": 1},
    }
    assert survey.unfit == []


def test_copies_are_found_across_splits_and_labels(tmp_path):
    other = encode(pixels(9), "PNG")
    data = write_dataset(
        tmp_path / "data",
        train=[record(0, JPEG, "a"), record(1, PNG, "b"), record(0, JPEG, "c")],
        test=[record(1, JPEG, "d"), record(1, other, "e")],
    )
    (group,) = look(data, "train", "test").copies
    assert [(entry.split, entry.number, entry.label) for entry in group] == [
        ("train", 0, 0),
        ("train", 2, 0),
        ("test", 0, 1),
    ]
    assert [entry.photo for entry in group] == ["a", "c", "d"]
    assert group[2].file == "pets_test_00000-of-00001.tfrecord"


def test_the_first_images_of_a_class_are_samples(tmp_path):
    records = [record(seed % 2, encode(pixels(seed), "PNG")) for seed in range(8)]
    data = write_dataset(tmp_path / "data", train=[record(0, JPEG), *records])
    samples = look(data, "train", num_samples=3).samples
    assert {label: len(found) for label, found in samples.items()} == {0: 3, 1: 3}
    first, second = samples[0][:2]
    assert first.image.size == (SAMPLE_SIDE, round(20 * SAMPLE_SIDE / 300))
    assert (first.width, first.height) == (300, 20)
    np.testing.assert_array_equal(np.asarray(second.image), pixels(0))
    assert not any(look(data, "train", num_samples=0).samples.values())


def test_images_that_cannot_be_read_are_listed(tmp_path):
    records = [record(0, PNG), record(1, b"bad", "x.jpg"), record(1, b"")]
    survey = look(write_dataset(tmp_path / "data", train=records), "train")
    assert [(entry.number, entry.photo) for entry, _ in survey.unfit] == [
        (1, "x.jpg"),
        (2, ""),
    ]
    assert all("its image cannot be read" in reason for _, reason in survey.unfit)
    assert survey.sizes["train"] == [(9, 7)]


def described(tmp_path, *records, num_channels=3):
    """A dataset whose records nobody has looked at, as with dataset.json."""
    data = write_dataset(tmp_path / "data", train=records)
    (path,) = data.glob("*.tfrecord")
    shard = Shard(str(path), len(records), path.stat().st_size)
    return Dataset(
        "pets", "train", str(data), (shard,), len(records), 2, None, (), num_channels
    )


def test_labels_out_of_range_are_listed(tmp_path):
    survey = Survey(1)
    survey.add(described(tmp_path, record(0, PNG), record(2, JPEG)))
    ((entry, reason),) = survey.unfit
    assert entry.number == 1
    assert "label 2 is out of range" in reason
    assert set(survey.samples) == {0}


def test_files_that_cannot_be_read_stop_it(tmp_path):
    dataset = described(tmp_path, record(0, PNG), record(1, JPEG))
    with open(dataset.shards[0].path, "rb+") as file:
        file.truncate(dataset.shards[0].num_bytes - 9)
    with pytest.raises(UserError, match=r"record 1 .*the file ends within it"):
        Survey(1).add(dataset)


def test_records_that_are_no_examples_stop_it(tmp_path):
    dataset = described(tmp_path, record(0, PNG), b"\xff\xff")
    with pytest.raises(UserError, match=r"record 1 .*it is not a tf\.train\.Example"):
        Survey(1).add(dataset)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(4, 4), (3, 5)])
def test_bare_pixels_are_images(tmp_path, channels, height, width):
    image = np.squeeze(pixels(0, height, width, channels))
    size = (0, 0) if height == width else (height, width)
    serialized = example_schema.build_example(image.tobytes(), "raw", 0, *size)
    survey = Survey(1)
    survey.add(described(tmp_path, serialized, num_channels=channels))
    assert survey.formats["train"] == {"raw": 1}
    expected = np.asarray(Image.fromarray(image).convert("RGB"))
    np.testing.assert_array_equal(np.asarray(survey.samples[0][0].image), expected)
