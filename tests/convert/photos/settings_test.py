import dataclasses

import pytest

from errors import UserError


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_dir": None}, "give --image_dir=FOLDER or --csv_file=FILE"),
        ({"dataset_dir": ""}, "--dataset_dir is missing"),
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
