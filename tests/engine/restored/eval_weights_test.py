"""What fits a net and what does not; the net is a handful of variables."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from checkpoints import slim_format
from checkpoints.slim_format import Checkpoint
from datasets.dataset import Dataset
from engine.restored import eval_weights
from errors import UserError

BODY = "InceptionV3/Conv2d_1a_3x3/weights"
LOGITS = "InceptionV3/Logits/Conv2d_1c_1x1/biases"
AUXILIARY = "InceptionV3/AuxLogits/Conv2d_2b_1x1/biases"
AVERAGE = "ExponentialMovingAverage"


@pytest.fixture
def network():
    variables = {
        BODY: tf.Variable(tf.zeros([2, 4])),
        LOGITS: tf.Variable(tf.zeros([3])),
        AUXILIARY: tf.Variable(tf.zeros([3])),
    }
    return SimpleNamespace(
        model_name="inception_v3",
        head_scopes=("InceptionV3/Logits", "InceptionV3/AuxLogits"),
        num_classes=3,
        model_variables=variables,
        variable_shapes=lambda: {n: tuple(v.shape) for n, v in variables.items()},
    )


def _values(**changed) -> dict[str, np.ndarray]:
    values: dict[str, np.ndarray] = {
        BODY: np.full([2, 4], 1, np.float32),
        LOGITS: np.full([3], 2, np.float32),
        AUXILIARY: np.full([3], 3, np.float32),
        "global_step": np.array(7),
    }
    return values | changed


def _averages(values) -> dict[str, np.ndarray]:
    return {f"{n}/{AVERAGE}": v + 10 for n, v in values.items() if n != "global_step"}


def _dataset(class_counts) -> Dataset:
    names = ("background", "cat", "dog", "emu")[: len(class_counts)]
    return Dataset("pets", "test", "", (), 9, len(names), names, tuple(class_counts))


@pytest.fixture
def load(tmp_path, network):
    def load(values, *, class_counts=(3, 3, 3), use_moving_average=False):
        slim_format.write_checkpoint(str(tmp_path / "net"), values)
        return eval_weights.load(
            network,
            Checkpoint(str(tmp_path / "net")),
            _dataset(class_counts),
            use_moving_average=use_moving_average,
        )

    return load


def test_variables_by_name_and_the_step(load, network):
    assert load(_values()) == 7
    assert network.model_variables[BODY].numpy().tolist() == [[1] * 4] * 2
    assert network.model_variables[LOGITS].numpy().tolist() == [2, 2, 2]


def test_a_bare_checkpoint_is_at_step_0(load):
    values = _values()
    del values["global_step"]
    assert load(values) == 0


def test_moving_averages_in_place_of_the_variables(load, network):
    values = _values()
    assert load(values | _averages(values), use_moving_average=True) == 7
    assert network.model_variables[LOGITS].numpy().tolist() == [12, 12, 12]


def test_moving_averages_are_enough(load, network):
    values = _values()
    step = load(_averages(values), use_moving_average=True)
    assert step == 0
    assert network.model_variables[BODY].numpy().max() == 11


def test_unused_moving_averages_are_mentioned(load, caplog):
    values = _values()
    with caplog.at_level(logging.WARNING, "absl"):
        load(values)
        assert not caplog.messages
        load(values | _averages(values))
    assert "--moving_average_decay=0.9999" in caplog.text


def test_moving_averages_that_are_not_there(load):
    with pytest.raises(UserError, match=r"no moving averages.*leave out the flag"):
        load(_values(), use_moving_average=True)


def test_a_moving_average_that_is_not_there(load):
    values = _values()
    averages = _averages(values)
    del averages[f"{LOGITS}/{AVERAGE}"]
    with pytest.raises(UserError, match=f"lacks 1 of the 2 .*{LOGITS}/{AVERAGE}"):
        load(values | averages, use_moving_average=True)


def test_the_auxiliary_head_is_not_needed(load, network):
    values = _values()
    del values[AUXILIARY]
    load(values)
    load(_values(**{AUXILIARY: np.zeros([9], np.float32)}))
    assert network.model_variables[AUXILIARY].numpy().tolist() == [0, 0, 0]


def test_a_missing_variable_is_named(load):
    values = _values()
    del values[BODY]
    with pytest.raises(UserError, match=f"lacks 1 of the 2 .*inception_v3: {BODY};"):
        load(values)


def test_another_net_is_told_by_its_scopes(load):
    other = {"MobilenetV1/Conv2d_0/weights": np.zeros([2]), "global_step": np.int64(1)}
    with pytest.raises(
        UserError,
        match=r"scopes are MobilenetV1, the net's InceptionV3; .*--model_name",
    ):
        load(other)


def test_another_shape_names_the_variable_and_both_shapes(load):
    with pytest.raises(UserError, match=rf"{BODY} .*\(2, 5\) in .*\(2, 4\) .*1 differ"):
        load(_values(**{BODY: np.zeros([2, 5], np.float32)}))


@pytest.mark.parametrize(
    ("num_trained", "class_counts", "message"),
    [
        # The fixture's net is for 3 classes: the data set's less the offset.
        (5, (3, 3, 3), "for 5 classes, but .* pets has 3 .background, cat, dog.; eval"),
        (2, (3, 3, 3), "for 2 classes, .* evaluate it on the data set that it was"),
        (2, (0, 3, 3), "for 2 classes, .* --labels_offset=1 makes them fit"),
        (4, (0, 3, 3, 3), "has 3 with --labels_offset=1 .cat.*--labels_offset=0 makes"),
    ],
)
def test_another_number_of_classes(load, num_trained, class_counts, message):
    with pytest.raises(UserError, match=message):
        load(
            _values(**{LOGITS: np.zeros([num_trained], np.float32)}),
            class_counts=class_counts,
        )
