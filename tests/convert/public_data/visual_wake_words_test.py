import dataclasses
import hashlib
import io
import json
import zipfile

import pytest

from convert.public_data import visual_wake_words
from errors import UserError
from tests.convert.sample_photos import encode, pixels

CATEGORIES = [{"id": 1, "name": "person"}, {"id": 7, "name": "train"}]
# (photo, category, area) of photos of 100 × 50 pixels.
ANNOTATIONS = [(2, 1, 26), (3, 1, 25), (4, 7, 999), (5, 1, 10), (5, 1, 400)]


def archive(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    """Five photos a split, as COCO has them."""
    photos = {}
    instances = {}
    for split in ("train", "val"):
        images = [
            {"id": key, "file_name": f"{key}.jpg", "height": 50, "width": 100}
            for key in (5, 4, 3, 2, 1)
        ]
        annotations = [
            {"image_id": key, "category_id": category, "area": area}
            for key, category, area in ANNOTATIONS
        ]
        content = {
            "images": images,
            "annotations": annotations,
            "categories": CATEGORIES,
        }
        instances[f"annotations/instances_{split}2014.json"] = json.dumps(content)
        photos[split] = archive(
            {
                f"{split}2014/{key}.jpg": encode(pixels(key), "JPEG")
                for key in range(1, 6)
            }
        )

    def put(remote, data):
        (tmp_path / remote.url.rpartition("/")[2]).write_bytes(data)
        return dataclasses.replace(remote, sha256=hashlib.sha256(data).hexdigest())

    module = visual_wake_words
    monkeypatch.setattr(
        module, "_ANNOTATIONS", put(module._ANNOTATIONS, archive(instances))
    )
    known = {
        split: (put(remote, photos[split]), shards)
        for split, (remote, shards) in module._PHOTOS.items()
    }
    monkeypatch.setattr(module, "_PHOTOS", known)
    return str(tmp_path)


def read(data_dir, foreground="person", area=0.005):
    return visual_wake_words.visual_wake_words(
        data_dir, foreground=foreground, area=area
    )


def labels(collection, split="train"):
    return [example.label for example in collection.splits[split].read()]


def test_a_person_must_cover_enough_of_a_photo(data_dir):
    collection = read(data_dir)
    assert collection.classes == ("background", "person")
    # 0.005 of 100 × 50 pixels are 25, which photo 3 does not exceed.
    assert labels(collection) == [0, 1, 0, 0, 1]
    assert labels(collection, "val") == [0, 1, 0, 0, 1]
    assert labels(read(data_dir, area=0.01)) == [0, 0, 0, 0, 1]
    assert labels(read(data_dir, area=0.001)) == [0, 1, 1, 0, 1]


def test_another_object_may_be_looked_for(data_dir):
    collection = read(data_dir, foreground="train")
    assert collection.classes == ("background", "train")
    assert labels(collection) == [0, 0, 0, 1, 0]
    with pytest.raises(UserError, match=r"no such category \(did you mean person\?\)"):
        read(data_dir, foreground="persons")


def test_names_and_photos(data_dir):
    collection = read(data_dir)
    assert collection.splits["train"].filenames[0] == "train.record-00000-of-00005"
    assert collection.splits["val"].filenames[-1] == "val.record-00004-of-00005"
    for number, example in enumerate(collection.splits["val"].read(), 1):
        assert example.name == f"{number}.jpg"
        assert example.encoded == encode(pixels(number), "JPEG")
