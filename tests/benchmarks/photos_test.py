import io

import numpy as np
from PIL import Image

from benchmarks import photos


def test_a_number_is_a_photo_of_its_own():
    assert photos.photo(1, 64, 48) == photos.photo(1, 64, 48)
    assert photos.photo(1, 64, 48) != photos.photo(2, 64, 48)


def test_photos_are_about_as_large_as_photographs():
    encoded = photos.photo(0, 500, 375)
    image = Image.open(io.BytesIO(encoded))
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (500, 375))
    assert 40_000 < len(encoded) < 120_000  # those of ImageNet have 110 kB
    assert 20 < np.asarray(image).std() < 80  # neither flat nor black and white


def test_classes_have_folders(tmp_path):
    photos.write(tmp_path, range(3, 9), 40, 30)
    paths = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.jpg"))
    assert len(paths) == 6
    assert {path.parent.name for path in paths} == {f"class_{i}" for i in range(5)}
    assert str(paths[0]) == "class_0/00005.jpg"


def test_windows_of_few_pictures_differ(tmp_path):
    photos.write_windows(tmp_path, range(45), 40, 30)
    encoded = {path.read_bytes() for path in tmp_path.rglob("*.jpg")}
    assert len(encoded) == 45
    assert {Image.open(io.BytesIO(data)).size for data in encoded} == {(40, 30)}
