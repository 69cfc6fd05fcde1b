import dataclasses

import pytest

from convert.photos import conversion_record
from convert.photos.conversion_record import Settings
from convert.photos.photo_sources import Found
from convert.photos.splits import Fractions
from datasets import dataset_json
from datasets.dataset_json import DatasetInfo, ShardInfo, SplitInfo
from errors import UserError


@pytest.fixture
def settings(photo_folder, tmp_path):
    return Settings(
        image_dir=str(photo_folder),
        csv_file=None,
        dataset_dir=str(tmp_path / "data"),
        dataset_name="pets",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_dir": None}, "give --image_dir=FOLDER or --csv_file=FILE"),
        ({"dataset_dir": ""}, "no --dataset_dir"),
        ({"dataset_name": None}, "--dataset_name=: give a name"),
        ({"dataset_name": "a/b"}, "--dataset_name=a/b: give a name"),
        ({"dataset_name": ".a"}, "give a name"),
        ({"dataset_name": "a b"}, "give a name"),
        ({"validation_fraction": 0.6, "test_fraction": 0.4}, "must be below 1"),
        ({"validation_fraction": 1.0}, "must be below 1"),
        ({"csv_file": "a.csv", "classes": "top"}, "--classes=top is about folders"),
        ({"csv_file": "a.csv", "splits": "top"}, "--splits=top is about folders"),
        ({"csv_split_column": "x"}, "--csv_split_column=x needs --csv_file"),
    ],
)
def test_wrong_settings_are_explained(settings, change, message):
    with pytest.raises(UserError, match=message):
        dataclasses.replace(settings, **change).check()


def test_photos_to_test_on_need_no_training(settings):
    names = ("cat", "dog")
    dataclasses.replace(settings, test_fraction=1.0, class_names=names).check()
    with pytest.raises(UserError):
        dataclasses.replace(settings, test_fraction=1.0, class_names=()).check()


def test_the_dataset_may_not_lie_among_the_photos(settings, photo_folder):
    settings.check()
    for inside in ("", "new", "cat/deep", "../photos"):
        path = str(photo_folder / inside)
        with pytest.raises(UserError, match="lies in --image_dir"):
            dataclasses.replace(settings, dataset_dir=path).check()


@pytest.mark.parametrize(
    ("change", "fractions"),
    [
        ({}, Fractions(0.2, 0.0)),
        ({"test_fraction": 0.1}, Fractions(0.2, 0.1)),
        ({"test_fraction": 0.9}, Fractions(0.0, 0.9)),
        ({"validation_fraction": 0.0}, Fractions(0.0, 0.0)),
    ],
)
def test_fractions_of_undivided_photos(settings, change, fractions):
    found, found_fractions = conversion_record.find(
        dataclasses.replace(settings, **change)
    )
    assert found_fractions == fractions
    assert {source.split for source in found.sources} == {None}


def divide(folder, *splits):
    """Moves the class folders below a split, and the first class below others."""
    inside = folder / splits[0]
    inside.mkdir()
    for name in ("cat", "dog"):
        (folder / name).rename(inside / name)
    for split in splits[1:]:
        (folder / split / "cat").mkdir(parents=True)
        (folder / split / "cat" / "new.jpg").write_bytes(b"x")


def test_given_splits_are_left_alone(settings, photo_folder):
    divide(photo_folder, "train", "test")
    found, fractions = conversion_record.find(settings)
    assert fractions == Fractions(0.0, 0.0)
    assert {source.split for source in found.sources} == {"train", "test"}


def test_a_split_can_be_taken_from_train(settings, photo_folder):
    divide(photo_folder, "train", "test")
    settings = dataclasses.replace(settings, validation_fraction=0.25)
    found, fractions = conversion_record.find(settings)
    assert fractions == Fractions(0.25, 0.0)
    assert {source.split for source in found.sources} == {None, "test"}
    settings = dataclasses.replace(settings, test_fraction=0.25)
    with pytest.raises(
        UserError, match=r"--test_fraction=0.25, but .* has a split test"
    ):
        conversion_record.find(settings)


def test_nothing_found_is_explained(settings, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match=r"should hold a folder for each class.*none"):
        conversion_record.find(dataclasses.replace(settings, image_dir=str(empty)))
    (empty / "a.jpg").write_bytes(b"x")
    with pytest.raises(UserError, match="only 1 other files"):
        conversion_record.find(dataclasses.replace(settings, image_dir=str(empty)))
    csv_file = empty / "list.csv"
    settings = dataclasses.replace(settings, image_dir=None, csv_file=str(csv_file))
    csv_file.write_text("path,label\n")
    with pytest.raises(UserError, match="lists no photos"):
        conversion_record.find(settings)
    csv_file.write_text("path,label\nb.jpg,b\nc.jpg,c\n")
    with pytest.raises(
        UserError, match=r"none of the 2 .* 'b.jpg' .*No such file.*begin"
    ):
        conversion_record.find(settings)


def finish(settings, made):
    """A dataset.json as a finished run leaves it, and its one file."""
    shard = ShardInfo("pets_train_00000-of-00001.tfrecord", 1, 1, "")
    info = DatasetInfo(
        settings.dataset_name, ("a",), {"train": SplitInfo(1, (1,), (shard,))}, 3, made
    )
    with open(f"{settings.dataset_dir}/{shard.file}", "w") as file:
        file.write("x")
    dataset_json.write(settings.dataset_dir, info)
    return info


@pytest.fixture
def made(settings, tmp_path):
    """What the run of `settings` says, once it has finished."""
    (tmp_path / "data").mkdir()
    made = conversion_record.entry(settings, conversion_record.find(settings)[0])
    finish(settings, made)
    return made


def read_finished(settings, made):
    return conversion_record.read_finished(
        settings.dataset_dir, settings.dataset_name, made
    )


def test_an_equal_run_has_finished(settings, made):
    info = read_finished(settings, made)
    assert info is not None
    assert info.made == made


def test_nothing_has_finished(settings):
    made = conversion_record.entry(settings, Found())
    assert read_finished(settings, made) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset_name": "x"}, "its name is 'pets', not 'x'"),
        ({"seed": 5}, "made with --seed=0, not 5"),
        ({"num_shards": 2}, "--num_shards=5, not 2"),
        ({"max_side": 64}, "--max_side=0, not 64"),
        ({"validation_fraction": 0.1}, "--validation_fraction=None, not 0.1"),
    ],
)
def test_other_settings_are_another_dataset(settings, made, change, message):
    settings = dataclasses.replace(settings, **change)
    made = conversion_record.entry(settings, conversion_record.find(settings)[0])
    with pytest.raises(UserError, match=f"another dataset \\(.*{message}"):
        read_finished(settings, made)


@pytest.mark.parametrize("change", ["add", "rename", "resize"])
def test_other_photos_are_another_dataset(settings, made, photo_folder, change):
    old = photo_folder / "cat" / "0.png"
    if change == "add":
        (photo_folder / "cat" / "new.png").write_bytes(b"x")
    elif change == "rename":
        old.rename(photo_folder / "cat" / "new.png")
    else:
        old.write_bytes(old.read_bytes() + b"x")
    now = conversion_record.entry(settings, conversion_record.find(settings)[0])
    with pytest.raises(UserError, match=r"made from 8 photos, there are [89] now"):
        read_finished(settings, now)


def test_a_lost_file_is_no_finished_dataset(settings, made, tmp_path):
    (tmp_path / "data" / "pets_train_00000-of-00001.tfrecord").unlink()
    with pytest.raises(UserError, match=r"00000-of-00001\.tfrecord is missing"):
        read_finished(settings, made)


def test_a_dataset_made_by_other_means_is_another(settings, made):
    finish(settings, {})
    with pytest.raises(UserError, match="another dataset"):
        read_finished(settings, made)
