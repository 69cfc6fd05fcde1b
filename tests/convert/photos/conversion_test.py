import csv
import json
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from common import atomic_files
from convert.photos import conversion, limits
from convert.photos.settings import Settings
from convert.tfrecords import parallel, staging
from datasets import dataset_factory, input_pipeline
from errors import UserError
from tests.convert.sample_photos import encode, make_folder, pixels


@pytest.fixture
def convert(tmp_path):
    """A function that converts photos to DATA as "pets"."""

    def run(image_dir=None, *, data="data", limit=0.1, num_workers=1, **options):
        settings = Settings(
            image_dir=image_dir and str(image_dir),
            csv_file=options.pop("csv_file", None),
            dataset_dir=str(tmp_path / data),
            dataset_name="pets",
            **options,
        )
        conversion.convert(
            settings, num_workers=num_workers, max_rejected_fraction=limit
        )
        return tmp_path / data

    return run


def records(data):
    """(split, image/filename) → features, of every record in a directory."""
    found = {}
    for path in sorted(data.glob("*.tfrecord")):
        for record in tf.data.TFRecordDataset(str(path)):
            features = tf.train.Example.FromString(record.numpy()).features.feature
            name = os.fsdecode(features["image/filename"].bytes_list.value[0])
            key = path.name.split("_")[1], name
            assert key not in found
            found[key] = features
    return found


def rejected(data):
    with open(data / "rejected.csv", encoding="utf-8", newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def content(data):
    """The bytes of every file, dataset.json without where it came from."""
    found = {path.name: path.read_bytes() for path in data.iterdir()}
    info = json.loads(found.pop("dataset.json"))
    del info["made"]["from"]
    return found, info


def test_a_folder_becomes_a_dataset(photo_folder, convert):
    data = convert(photo_folder, validation_fraction=0.5, num_shards=2)
    found = records(data)
    assert len(found) == 8
    for (_, name), features in found.items():
        source = photo_folder / name
        assert features["image/encoded"].bytes_list.value[0] == source.read_bytes()
        expected = ["cat", "dog"].index(source.parent.name)
        assert features["image/class/label"].int64_list.value[0] == expected
    assert (data / "labels.txt").read_text() == "0:cat\n1:dog\n"
    assert rejected(data) == {}


def test_dataset_json_tells_what_there_is(photo_folder, convert):
    data = convert(photo_folder, validation_fraction=0.5, num_shards=2, seed=3)
    info = json.loads((data / "dataset.json").read_text())
    assert (info["name"], info["classes"]) == ("pets", ["cat", "dog"])
    assert list(info["splits"]) == ["train", "validation"]
    listed = []
    for name, split in info["splits"].items():
        names = [key for key in records(data) if key[0] == name]
        assert split["num_examples"] == len(names)
        assert split["class_counts"] == [
            sum(photo.startswith(label) for _, photo in names)
            for label in ("cat", "dog")
        ]
        for shard in split["shards"]:
            path = data / shard["file"]
            assert shard["records"] == sum(
                1 for _ in tf.data.TFRecordDataset(str(path))
            )
            assert shard["bytes"] == path.stat().st_size
            assert shard["sha256"] == atomic_files.sha256(str(path))
            listed.append(path)
    assert sorted(listed) == sorted(data.glob("*.tfrecord"))
    made = info["made"]
    assert made["from"] == str(photo_folder)
    assert made["settings"]["seed"] == 3
    assert made["settings"]["validation_fraction"] == 0.5
    assert made["photos"]["number"] == 8
    assert set(made["versions"]) == {"pillow", "tensorflow"}


def test_training_and_evaluation_read_it_by_name(photo_folder, convert):
    data = convert(photo_folder, test_fraction=0.3)
    seen = 0
    for split in dataset_factory.available_splits("pets", str(data)):
        dataset = dataset_factory.get_dataset("pets", split, str(data))
        assert dataset.class_names == ("cat", "dog")
        batches = input_pipeline.eval_batches(
            dataset, lambda photo, _: tf.cast(photo.pixels(), tf.float32), batch_size=3
        )
        seen += sum(int(tf.math.count_nonzero(batch["mask"])) for batch in batches)
    assert seen == 8


def test_workers_and_places_change_nothing(photo_folder, convert, tmp_path):
    shutil.copytree(photo_folder, tmp_path / "elsewhere")
    first = convert(photo_folder, data="one")
    second = convert(tmp_path / "elsewhere", data="two", num_workers=3)
    third = convert(photo_folder, data="three", num_workers=None)
    assert content(first) == content(second) == content(third)


def test_few_photos_start_no_process(damaged_folder, convert, monkeypatch):
    monkeypatch.setattr(parallel, "prepare", None)
    data = convert(damaged_folder, num_workers=None, limit=1.0)
    assert rejected(data)
    monkeypatch.setattr(limits, "_FEW_BYTES", 1)
    with pytest.raises(TypeError, match="not callable"):
        convert(damaged_folder, data="many", num_workers=None)


def test_adding_photos_and_classes_moves_none(photo_folder, convert):
    options = {"validation_fraction": 0.3, "test_fraction": 0.3}
    before = set(records(convert(photo_folder, data="before", **options)))
    (photo_folder / "ant").mkdir()
    for seed in range(100, 110):
        for name in ("ant", "cat"):
            path = photo_folder / name / f"{seed}.png"
            path.write_bytes(encode(pixels(2 * seed + (name == "ant")), "PNG"))
    after = set(records(convert(photo_folder, data="after", **options)))
    assert before < after
    assert len(after) == 28


def test_split_folders_are_kept(tmp_path, convert):
    for index, split in enumerate(("train", "validation", "test")):
        make_folder(tmp_path / "photos" / split, number=index + 1)
        for name in ("cat", "dog"):  # different photos from split to split
            path = tmp_path / "photos" / split / name / "0.png"
            path.write_bytes(encode(pixels(50 + index, 7, 5 + (name == "cat")), "PNG"))
            for number in range(1, index + 1):
                seed = 100 * index + 10 * number + (name == "cat")
                path.with_name(f"{number}.png").write_bytes(encode(pixels(seed), "PNG"))
    data = convert(tmp_path / "photos")
    splits = json.loads((data / "dataset.json").read_text())["splits"]
    assert {name: split["class_counts"] for name, split in splits.items()} == {
        "train": [1, 1],
        "validation": [2, 2],
        "test": [3, 3],
    }
    assert all(name.startswith(split) for split, name in records(data))


def test_csv_files_list_photos(photo_folder, convert):
    rows = ["path,label,split"]
    for number in range(4):
        rows.append(f"cat/{number}.png,tom,{'train' if number else 'test'}")
        rows.append(f'dog/{number}.png,"two\nlines",train')
    csv_file = photo_folder / "list.csv"
    csv_file.write_text("\n".join(rows))
    data = convert(csv_file=str(csv_file))
    found = records(data)
    assert {name for split, name in found if split == "test"} == {"cat/0.png"}
    assert len(found) == 8
    info = json.loads((data / "dataset.json").read_text())
    assert info["classes"] == ["tom", "two\nlines"]


def test_odd_names_survive(tmp_path, convert):
    names = ["a b", "two\nlines", "ä 山", "-x", "%s", os.fsdecode(b"\xff")]
    folder = make_folder(tmp_path / "my photos", names, number=2)
    (folder / "ä 山" / "0.png").rename(folder / "ä 山" / "\nü\udcfe.png")
    (folder / "ä 山" / "bad\udcfe.png").write_bytes(b"bad")
    data = convert(folder, validation_fraction=0.0)
    dataset = dataset_factory.get_dataset("pets", "train", str(data))
    assert dataset.class_names == tuple(sorted(names))
    assert dataset.class_counts == (2,) * 6
    assert ("train", "ä 山/\nü\udcfe.png") in records(data)
    assert set(rejected(data)) == {"ä 山/bad\\udcfe.png"}
    labels = (data / "labels.txt").read_bytes().decode()
    assert "5:\\udcff\n" in labels
    (data / "dataset.json").unlink()
    again = dataset_factory.get_dataset("pets", "train", str(data))
    assert again.class_names == dataset.class_names


@pytest.fixture
def damaged_folder(photo_folder):
    """Eight intact photos, two damaged ones, and files that are not photos."""
    (photo_folder / "cat" / "empty.jpg").touch()
    (photo_folder / "dog" / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    (photo_folder / "dog" / "notes.txt").write_text("text")
    (photo_folder / "README").write_text("text")
    return photo_folder


def test_damaged_photos_are_listed(damaged_folder, convert):
    data = convert(damaged_folder, limit=0.2)
    listed = {name: row["is_fault"] for name, row in rejected(data).items()}
    assert listed == {
        "cat/empty.jpg": "1",
        "dog/broken.jpg": "1",
        "README": "0",
        "dog/notes.txt": "0",
    }
    assert len(records(data)) == 8


@pytest.fixture
def deep_folder(tmp_path):
    """Photos of 12 bits in 16-bit PNG, and of 8 in 16-bit TIFF files."""
    grey = (np.add.outer(np.arange(64), np.arange(64)) * 2).astype(np.uint16)
    for label in ("a", "b"):
        (tmp_path / "deep" / label).mkdir(parents=True)
        for number in range(4):
            folder = tmp_path / "deep" / label
            turned = np.roll(grey, 7 * number + ord(label), 1)
            (folder / f"12 {number}.png").write_bytes(encode(turned * 16, "PNG"))
            turned = np.roll(grey, 7 * number + ord(label), 0)
            (folder / f"8 {number}.tif").write_bytes(encode(turned, "TIFF"))
    return tmp_path / "deep"


def test_photos_of_unclear_bits_are_asked_about(deep_folder, convert, tmp_path):
    with pytest.raises(
        UserError, match=r"12 bits, or a dark one of 16; .*--bits=12 or"
    ):
        convert(deep_folder)
    with pytest.raises(UserError, match=r"--bits=10 does not fit 8 photos.* 4032"):
        convert(deep_folder, bits=10, limit=1)
    assert os.listdir(tmp_path / "data") == ["rejected.csv"]
    assert "of more bits than --bits" in {
        row["kind"] for row in rejected(tmp_path / "data").values()
    }


def test_bits_are_obeyed_and_told_to_runs(deep_folder, convert, caplog):
    data = convert(deep_folder, bits=12)
    assert "8 of 16 photos with more than 8 bits" in caplog.text
    assert "are dark, or use fewer bits than the others: a/8" in caplog.text
    encoded = records(data)["train", "a/12 0.png"]["image/encoded"].bytes_list.value[0]
    assert tf.io.decode_png(encoded).numpy().max() == 4032 >> 4
    info = json.loads((data / "dataset.json").read_text())
    assert (info["bits"], info["made"]["settings"]["bits"]) == (12, 12)
    assert dataset_factory.get_dataset("pets", "train", str(data)).bits == 12
    with pytest.raises(UserError, match="--bits=12, not 16"):
        convert(deep_folder, bits=16)


def test_bits_that_are_plain_are_told_to_runs(photo_folder, convert):
    for number in range(3):
        values = np.random.default_rng(number).integers(0, 1 << 16, (6, 5), np.uint16)
        path = photo_folder / "cat" / f"deep{number}.png"
        path.write_bytes(encode(values >> 4 * (number == 2), "PNG"))
    data = convert(photo_folder)
    assert len(records(data)) == 11
    assert dataset_factory.get_dataset("pets", "train", str(data)).bits == 16


def test_too_many_damaged_photos_stop_it(damaged_folder, convert, tmp_path):
    with pytest.raises(
        UserError, match=r"2 of 10 photos .*=0.19; the first is 'cat/empty.jpg'"
    ):
        convert(damaged_folder, limit=0.19)
    data = tmp_path / "data"
    assert os.listdir(data) == ["rejected.csv"]
    assert len(rejected(data)) == 4
    (damaged_folder / "cat" / "empty.jpg").unlink()
    assert len(records(convert(damaged_folder, limit=0.19))) == 8
    assert set(rejected(data)) == {"README", "dog/broken.jpg", "dog/notes.txt"}


def test_one_class_is_no_dataset(tmp_path, convert):
    folder = make_folder(tmp_path / "photos", ["cat"])
    (folder / "dog").mkdir()
    (folder / "dog" / "notes.txt").write_text("text")
    with pytest.raises(UserError, match=r"1 class \(cat\), .*rejected.csv lists all 1"):
        convert(folder)


def test_a_split_train_is_needed(tmp_path, convert):
    make_folder(tmp_path / "photos" / "test")
    with pytest.raises(UserError, match=r"no photo of .* is in the split train"):
        convert(tmp_path / "photos")
    assert os.listdir(tmp_path) == ["photos"]


def test_a_second_run_stops(photo_folder, convert, capsys, monkeypatch):
    data = convert(photo_folder)
    before = {path: path.stat().st_mtime_ns for path in data.iterdir()}
    monkeypatch.setattr(staging, "staging", None)  # would fail
    assert convert(photo_folder) == data
    assert "already holds the data set 'pets'" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in data.iterdir()} == before
    with pytest.raises(UserError, match=r"another data set .*--seed=0, not 1"):
        convert(photo_folder, seed=1)


def replace(path, image):
    """Writes another photo of the size in bytes that the old one has."""
    size = path.stat().st_size
    path.write_bytes(encode(image, "PNG").ljust(size, b"\0"))
    assert path.stat().st_size == size


@pytest.mark.parametrize("damaged", [False, True])
def test_photos_replaced_by_others_are_other_photos(photo_folder, convert, damaged):
    path = photo_folder / "cat" / "0.png"
    path.write_bytes((b"bad" if damaged else path.read_bytes()).ljust(1000, b"\0"))
    convert(photo_folder, limit=0.2)
    before = path.stat()
    replace(path, pixels(99))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(UserError, match="the content of some has changed"):
        convert(photo_folder, limit=0.2)


def test_touched_photos_are_the_same(photo_folder, convert, capsys):
    convert(photo_folder)
    path = photo_folder / "cat" / "0.png"
    path.write_bytes(path.read_bytes())
    os.utime(path, (1, 1))
    convert(photo_folder)
    assert "nothing to do" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("row", "edited"),
    [
        ("cat/3.png,dog,train", "cat/3.png,cat,train"),
        ("cat/3.png,cat,", "cat/3.png,cat,train"),
    ],
)
def test_an_edited_list_is_another(photo_folder, convert, row, edited):
    rows = ["path,label,split", "cat/0.png,cat,train", "dog/0.png,dog,test", row]
    csv_file = photo_folder / "list.csv"
    csv_file.write_text("\n".join(rows))
    convert(csv_file=str(csv_file))
    csv_file.write_text("\n".join([*rows[:-1], edited]))
    with pytest.raises(UserError, match="names, labels, splits or sizes"):
        convert(csv_file=str(csv_file))


def test_a_class_keeps_a_photo_to_train_on(tmp_path, convert):
    folder = make_folder(tmp_path / "photos", [f"{number}" for number in range(9)], 1)
    data = convert(folder, validation_fraction=0.9)
    splits = json.loads((data / "dataset.json").read_text())["splits"]
    assert {name: split["class_counts"] for name, split in splits.items()} == {
        "train": [1] * 9
    }


def test_given_classes_keep_their_labels(photo_folder, convert, caplog):
    classes = ("dog", "emu", "cat")
    with caplog.at_level("INFO"):
        data = convert(photo_folder, class_names=classes, test_fraction=1.0)
    assert "1 of the 3 listed classes have no photo here: emu" in caplog.text
    assert "photo of" not in caplog.text
    dataset = dataset_factory.get_dataset("pets", "test", str(data))
    assert dataset.class_names == classes
    assert dataset.class_counts == (4, 0, 4)
    for (split, name), features in records(data).items():
        label = features["image/class/label"].int64_list.value[0]
        assert (split, classes[label]) == ("test", name.partition("/")[0])
    with pytest.raises(UserError, match="other --labels_file or --classes_of"):
        convert(
            photo_folder, class_names=(*classes[:2], "cats", "cat"), test_fraction=1.0
        )


def test_classes_that_are_not_given_are_refused(photo_folder, convert, tmp_path):
    with pytest.raises(UserError, match="class 'dog', which is not among the 2"):
        convert(photo_folder, class_names=("cat", "emu"))
    assert os.listdir(tmp_path) == ["photos"]


def test_one_of_the_given_classes_will_do(tmp_path, convert):
    folder = make_folder(tmp_path / "photos", ["cat"])
    data = convert(folder, class_names=("cat", "dog"), test_fraction=1.0)
    assert dataset_factory.available_splits("pets", str(data)) == ("test",)


def test_the_order_of_numbered_classes_is_told(tmp_path, convert, caplog):
    names = ["0", "1", "2", "10"]
    folder = make_folder(tmp_path / "photos", names, 1)
    with caplog.at_level("INFO"):
        data = convert(folder)
    assert caplog.text.count("sorted as text, as in '0', '1', '10'") == 1
    assert (data / "labels.txt").read_text() == "0:0\n1:1\n2:10\n3:2\n"
    shutil.rmtree(data)
    data = convert(folder, class_names=tuple(names))
    assert (data / "labels.txt").read_text() == "0:0\n1:1\n2:2\n3:10\n"


def test_folders_alike_are_refused(tmp_path, convert):
    folder = make_folder(tmp_path / "photos" / "train", ["cat", "dog"])
    make_folder(folder.parent / "test", ["Cat", "dog"])
    with pytest.raises(UserError, match="'Cat' and 'cat' differ only in case"):
        convert(folder.parent)
    assert os.listdir(tmp_path) == ["photos"]


def test_files_of_unknown_origin_are_not_mixed_with(photo_folder, convert, tmp_path):
    stranger = tmp_path / "data" / "pets_train_00000-of-00009.tfrecord"
    stranger.parent.mkdir()
    stranger.write_bytes(b"x")
    with pytest.raises(UserError, match=r"00009\.tfrecord exists, but no dataset"):
        convert(photo_folder)
    assert os.listdir(stranger.parent) == [stranger.name]


@pytest.mark.parametrize("step", ["convert.photos.writing.write_all", "os.replace"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left")])
def test_all_or_nothing(photo_folder, convert, tmp_path, monkeypatch, step, error):
    def fail(*args, **options):
        raise error

    monkeypatch.setattr(step, fail)
    with pytest.raises((KeyboardInterrupt, OSError)):
        convert(photo_folder)
    assert os.listdir(tmp_path) == ["photos"]
