"""Confident learning on a handful of images, by hand."""

import numpy as np
import pytest

from engine.evaluation import label_errors
from engine.evaluation.evaluation import Results


def _results(labels, predicted, of_predicted, of_label) -> Results:
    zeros = np.zeros(len(labels), np.int32)
    return Results(
        labels=np.array(labels, np.int32),
        predicted=np.array(predicted, np.int32),
        probabilities=np.array(of_predicted, np.float32),
        in_top_5=np.ones(len(labels), bool),
        losses=-np.log(np.array(of_label, np.float32)),
        shards=zeros,
        records=zeros,
    )


def test_only_disagreement_above_the_classs_average_is_suspect():
    # Images of class 1 get 0.9 and 0.5 for it: its threshold is 0.7.
    results = _results(
        labels=[1, 1, 0, 0, 0],
        predicted=[1, 1, 1, 1, 1],
        of_predicted=[0.9, 0.5, 0.8, 0.6, 0.95],
        of_label=[0.9, 0.5, 0.2, 0.4, 0.05],
    )
    suspects = label_errors.find(results)
    assert [suspect.index for suspect in suspects] == [4, 2]
    assert [suspect.margin for suspect in suspects] == pytest.approx([0.9, 0.6])
    assert suspects[0].threshold == pytest.approx(0.7)


def test_a_class_without_images_of_its_own_suspects_nothing():
    results = _results([0, 0], [2, 0], [0.99, 0.9], [0.01, 0.9])
    assert label_errors.find(results) == []
