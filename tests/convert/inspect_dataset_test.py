import csv
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from config.shared_options import DataOptions, ModelOptions
from config.training.augmentation_options import AugmentationOptions
from config.training.data_options import TrainDataOptions
from convert import images_to_tfrecord, inspect_dataset
from convert.inspect_dataset import InspectionConfig, InspectionOptions
from convert.inspection import contact_sheet
from datasets import dataset_factory
from errors import UserError
from preprocessing import preprocessing_factory
from tests.convert.sample_photos import encode, pixels, record, write_dataset
from tests.datasets.training_batches import training_batches

NO_AUGMENTATION = AugmentationOptions()
CONVERT = images_to_tfrecord.__file__


@pytest.fixture
def data(tmp_path):
    """Six images of two classes for training, two for testing; one is in both."""
    records = [
        record(n % 2, encode(pixels(n, 30, 40), "PNG"), f"{n}") for n in range(6)
    ]
    return write_dataset(
        tmp_path / "data",
        ("cat", "dog/house\n"),
        train=records,
        test=[records[0], record(1, encode(pixels(9, 30, 40), "JPEG"), "\udcff")],
    )


@pytest.fixture
def inspect(data, tmp_path):
    """A function that inspects it; options by name, whatever their group."""

    def run(
        output_dir=tmp_path / "out",
        model="inception_v3",
        split="train",
        augmentation=NO_AUGMENTATION,
        **data_options,
    ):
        data_options = {"dataset_name": "pets", "dataset_dir": str(data)} | data_options
        config = InspectionConfig(
            InspectionOptions(output_dir=output_dir and str(output_dir), num_batches=2),
            DataOptions(**data_options),
            TrainDataOptions(
                batch_size=4, train_image_size=16, dataset_split_name=split
            ),
            augmentation,
            ModelOptions(model_name=model),
        )
        inspect_dataset.inspect(config, given=data_options.keys())
        return tmp_path / "out"

    return run


@pytest.fixture
def drawn_batches(monkeypatch):
    """Images and captions of each batch that is drawn."""
    drawn = []
    draw = contact_sheet.draw

    def spy(images, captions, *, title, side):
        if "batch" in title:
            drawn.append((np.stack([np.asarray(image) for image in images]), captions))
        return draw(images, captions, title=title, side=side)

    monkeypatch.setattr(contact_sheet, "draw", spy)
    return drawn


def test_tables_are_printed(inspect, capsys, tmp_path):
    inspect(output_dir=None)
    out = capsys.readouterr().out
    assert "1:dog/house\\n" in out
    assert "6 PNG" in out
    assert "1 PNG, 1 JPEG" in out
    assert "2 images have copies" in out
    assert (
        "test '0' (0:cat; pets_test_00000-of-00001.tfrecord, record 0) = train" in out
    )
    assert os.listdir(tmp_path) == ["data"]


def test_pictures_are_drawn(inspect, capsys):
    out = inspect()
    assert sorted(os.listdir(out)) == ["batches", "classes", "duplicates.csv"]
    assert sorted(os.listdir(out / "classes")) == ["0_cat.png", "1_dog_house_n.png"]
    assert sorted(os.listdir(out / "batches")) == ["0.png", "1.png"]
    for path in out.glob("*/*.png"):
        assert np.asarray(Image.open(path)).std() > 10
    with open(out / "duplicates.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["group"], row["split"], row["photo"]) for row in rows] == [
        ("0", "test", "0"),
        ("0", "train", "0"),
    ]
    assert str(out) in capsys.readouterr().out


def test_the_batches_are_those_of_training(inspect, data, drawn_batches):
    inspect()
    dataset = dataset_factory.get_dataset("pets", "train", str(data))
    recipe = preprocessing_factory.get_preprocessing("inception", True)
    batches = training_batches(
        dataset,
        lambda image, seed: recipe(image, 16, 16, seed),
        batch_size=4,
        seed=0,
    ).take(2)
    for (images, captions), batch in zip(drawn_batches, batches, strict=True):
        low, high = batch["image"].numpy().min(), batch["image"].numpy().max()
        expected = (batch["image"].numpy() - low) / (high - low) * 255
        np.testing.assert_allclose(images, expected, atol=1)
        assert [int(caption[0]) for caption in captions] == batch[
            "label"
        ].numpy().tolist()


def test_the_batches_show_each_augmentation(inspect, drawn_batches):
    inspect()
    inspect(augmentation=AugmentationOptions(random_erasing=1.0))
    assert (drawn_batches[0][0] != drawn_batches[2][0]).any()
    inspect(augmentation=AugmentationOptions(mixup_alpha=1.0))
    captions = [caption for _, batch in drawn_batches[4:] for caption in batch]
    shares = [re.findall(r"(\d+)%", caption) for caption in captions]
    mixed = [list(map(int, one)) for one in shares if one]
    assert mixed
    assert all(abs(sum(one) - 100) <= 1 for one in mixed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset_dir": None}, "no --dataset_dir"),
        ({"dataset_name": "birds"}, "no files of a data set 'birds'"),
        ({"split": "trian"}, "no split 'trian' .*did you mean train"),
        ({"model": "inception_v33"}, "inception_v33"),
        ({"preprocessing_name": "none"}, "none"),
    ],
)
def test_wrong_options_are_told_at_once(inspect, change, message, capsys, tmp_path):
    with pytest.raises(UserError, match=message):
        inspect(**change)
    assert capsys.readouterr().out == ""
    assert os.listdir(tmp_path) == ["data"]


def test_the_command_of_the_page_takes_the_name_from_dataset_json(tmp_path):
    for n in range(8):
        path = tmp_path / "photos" / ("cat", "dog")[n % 2] / f"{n}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(pixels(n, 30, 40), "PNG"))
    data = f"--dataset_dir={tmp_path / 'data'}"
    for command in (
        [CONVERT, f"--image_dir={tmp_path / 'photos'}", "--dataset_name=pets", data],
        [inspect_dataset.__file__, data],
    ):
        done = subprocess.run(
            [sys.executable, *command], capture_output=True, text=True, check=True
        )
    assert " 0:cat " in done.stdout
    (line,) = done.stderr.splitlines()  # and nothing of TensorFlow's
    assert line.endswith("no --dataset_name: using pets, from dataset.json")


def test_unfit_records_are_an_error_after_the_tables(inspect, data, capsys, tmp_path):
    (data / "pets_train_00000-of-00001.tfrecord").unlink()
    records = [record(0, encode(pixels(0), "PNG")), record(1, b"bad")]
    write_dataset(tmp_path / "more", train=records)
    (tmp_path / "more" / "pets_train_00000-of-00001.tfrecord").rename(
        data / "pets_train_00000-of-00001.tfrecord"
    )
    with pytest.raises(
        UserError, match=r"1 records cannot be used .*image cannot be read"
    ):
        inspect()
    assert "formats" in capsys.readouterr().out
