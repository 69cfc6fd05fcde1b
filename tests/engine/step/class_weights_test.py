"""Weights of classes, by hand."""

import numpy as np
import pytest

from engine.step import class_weights


def test_balanced_weights_make_every_class_count_alike():
    # 12 images of 2 classes: 12 / (2 * 9) and 12 / (2 * 3).
    weights = class_weights.by_class("balanced", [9, 3])
    assert weights == pytest.approx([2 / 3, 2])
    assert weights.dtype == np.float32


def test_a_class_without_images_is_not_counted():
    assert class_weights.by_class("balanced", [9, 0, 3]) == pytest.approx([2 / 3, 0, 2])


def test_effective_weights_level_off_where_images_are_many():
    few, many = class_weights.by_class("effective", [1000, 100000])
    effective = (1 - 0.999**1000) / (1 - 0.999**100000)
    assert few / many == pytest.approx(1 / effective, rel=1e-5)
    assert few / many == pytest.approx(1.58, abs=0.01)  # and not 100


@pytest.mark.parametrize("kind", ["balanced", "effective"])
def test_the_mean_over_the_images_is_1(kind):
    counts = [700, 20, 0, 5]
    weights = class_weights.by_class(kind, counts)
    assert np.average(weights, weights=counts) == pytest.approx(1)
