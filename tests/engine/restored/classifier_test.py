"""What a classifier calls its classes."""

import pytest

from checkpoints.model_info import ModelInfo
from engine.restored.classifier import Classifier
from tests.engine import small_runs


@pytest.mark.parametrize(
    ("names", "labels_offset", "labels"),
    [
        (("cat", "dog"), 0, ["cat", "dog"]),
        (("cat", "dog"), 1, ["cat", "dog"]),
        (None, 0, ["0", "1"]),
        (None, 1, ["1", "2"]),
    ],
)
def test_classes_without_names_are_called_by_their_labels(names, labels_offset, labels):
    info = ModelInfo(
        model_name=small_runs.NET,
        image_size=small_runs.IMAGE_SIZE,
        use_grayscale=False,
        preprocessing_name="inception",
        labels_offset=labels_offset,
        dataset_name="pets",
        num_classes=2,
        class_names=names,
    )
    assert Classifier(info).labels == labels
