import dataclasses

import pytest

from convert.photos import provenance, sources
from convert.photos.sources import Found
from datasets import dataset_json
from datasets.dataset_json import DatasetInfo, ShardInfo, SplitInfo
from errors import UserError


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
    made = provenance.entry(settings, sources.find(settings)[0])
    finish(settings, made)
    return made


def read_finished(settings, made):
    return provenance.read_finished(settings.dataset_dir, settings.dataset_name, made)


def test_an_equal_run_has_finished(settings, made):
    info = read_finished(settings, made)
    assert info is not None
    assert info.made == made


def test_nothing_has_finished(settings):
    made = provenance.entry(settings, Found())
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
    made = provenance.entry(settings, sources.find(settings)[0])
    with pytest.raises(UserError, match=f"another data set \\(.*{message}"):
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
    now = provenance.entry(settings, sources.find(settings)[0])
    with pytest.raises(UserError, match=r"made from 8 photos, there are [89] now"):
        read_finished(settings, now)


def test_a_lost_file_is_no_finished_dataset(settings, made, tmp_path):
    (tmp_path / "data" / "pets_train_00000-of-00001.tfrecord").unlink()
    with pytest.raises(UserError, match=r"00000-of-00001\.tfrecord is missing"):
        read_finished(settings, made)


def test_a_dataset_made_by_other_means_is_another(settings, made):
    finish(settings, {})
    with pytest.raises(UserError, match="another data set"):
        read_finished(settings, made)
