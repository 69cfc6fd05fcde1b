"""Results by hand: nets whose logits are the mean colours, or always the same."""

import math

import numpy as np
import pytest
import tensorflow as tf

from datasets import input_pipeline
from engine.evaluation.evaluation import Evaluator
from errors import UserError
from tests.engine import coloured_images

COLOURS = [0, 1, 2, 0, 1, 2, 0]
LABELS = [0, 1, 2, 1, 1, 0, 0]
RIGHT_LOSS = math.log(math.e**2 + 2) - 2  # logits are 2 for the colour, else 0
WRONG_LOSS = math.log(math.e**2 + 2)


class _Net:
    """A net by a function of images."""

    def __init__(self, logits_fn, num_classes: int) -> None:
        self.num_classes = num_classes
        self._logits_fn = logits_fn

    def __call__(self, images, *, is_training):
        assert not is_training
        return self._logits_fn(images), {}


def _mean_colours(images):
    return tf.reduce_mean(images, [1, 2])


def _preprocess(photo, seed):
    del seed
    scaled = tf.cast(photo.pixels(), tf.float32) * (2 / coloured_images.BRIGHTNESS)
    return tf.ensure_shape(scaled, [coloured_images.SIDE, coloured_images.SIDE, 3])


def _evaluator(dataset, net=None, **options) -> Evaluator:
    net = net or _Net(_mean_colours, 3)
    batches = input_pipeline.eval_batches(
        dataset, _preprocess, **{"batch_size": 3, **options}
    )
    return Evaluator(
        dataset,
        batches,
        lambda batch: net(batch["image"], is_training=False)[0],
        labels_offset=options.get("labels_offset", 0),
    )


@pytest.fixture
def dataset(tmp_path):
    folder = coloured_images.write_split(tmp_path, "test", COLOURS, LABELS)
    return coloured_images.get_split(folder, "test")


def test_every_image_counts_once_in_the_order_of_the_files(dataset):
    results = _evaluator(dataset).run()
    np.testing.assert_array_equal(results.labels, LABELS)
    np.testing.assert_array_equal(results.predicted, COLOURS)
    np.testing.assert_array_equal(results.shards, [0, 0, 0, 1, 1, 1, 1])
    np.testing.assert_array_equal(results.records, [0, 1, 2, 0, 1, 2, 3])


def test_figures_worked_by_hand(dataset):
    results = _evaluator(dataset).run()
    assert results.accuracy == pytest.approx(5 / 7)
    assert results.recall_5 == 1.0  # three classes
    assert results.loss == pytest.approx((5 * RIGHT_LOSS + 2 * WRONG_LOSS) / 7)
    share = math.e**2 / (math.e**2 + 2)
    np.testing.assert_allclose(results.probabilities, share, rtol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_batch_size_changes_nothing(dataset, batch_size):
    results = _evaluator(dataset, batch_size=batch_size).run()
    np.testing.assert_array_equal(results.predicted, COLOURS)
    assert results.accuracy == pytest.approx(5 / 7)


@pytest.mark.parametrize(("batches", "images"), [(2, 6), (9, 7), (0, 7)])
def test_a_number_of_batches(dataset, batches, images):
    results = _evaluator(dataset).run(batches)
    np.testing.assert_array_equal(results.labels, LABELS[:images])


def test_recall_counts_the_five_largest_logits(tmp_path):
    labels = [0, 5, 4, 1, 5, 0]
    folder = coloured_images.write_split(
        tmp_path, "test", [0] * 6, labels, class_names=list("abcdef")
    )
    logits = tf.constant([[6.0, 5.0, 4.0, 3.0, 2.0, 1.0]])
    net = _Net(lambda images: tf.repeat(logits, tf.shape(images)[0], 0), 6)
    results = _evaluator(coloured_images.get_split(folder, "test"), net).run()
    np.testing.assert_array_equal(results.in_top_5, [1, 0, 1, 1, 0, 1])
    assert results.recall_5 == pytest.approx(4 / 6)
    assert results.accuracy == pytest.approx(2 / 6)


def test_labels_offset(tmp_path):
    folder = coloured_images.write_split(
        tmp_path, "test", [0, 1, 2, 2], [1, 2, 3, 1], class_names=list("0rgb")
    )
    dataset = coloured_images.get_split(folder, "test")
    results = _evaluator(dataset, labels_offset=1).run()
    np.testing.assert_array_equal(results.labels, [0, 1, 2, 0])
    assert results.accuracy == 0.75


def test_a_damaged_record_is_named(dataset):
    path = dataset.shards[1].path
    with open(path, "r+b") as file:
        file.seek(-20, 2)
        file.write(b"\xff" * 8)
    with pytest.raises(UserError, match=r"00001-of-00002.*record 3 .*checksum"):
        _evaluator(dataset).run()


def test_out_of_memory_names_the_flag(dataset):
    def run_out(images):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM")

    evaluator = _evaluator(dataset, _Net(run_out, 3))
    with pytest.raises(UserError, match="batches of 3 images: lower --batch_size"):
        evaluator.run()


def test_weights_are_read_anew_in_every_run(dataset):
    shift = tf.Variable([0.0, 0.0, 0.0])
    evaluator = _evaluator(dataset, _Net(lambda i: _mean_colours(i) + shift, 3))
    assert evaluator.run().accuracy == pytest.approx(5 / 7)
    shift.assign([9.0, 0.0, 0.0])
    assert evaluator.run().accuracy == pytest.approx(LABELS.count(0) / 7)
